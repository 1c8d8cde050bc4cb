"""From the inbox to the vendors: fold what was accepted, then bring every publication to what it should be."""
