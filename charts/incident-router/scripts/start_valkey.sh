# Starts Valkey with the password in a file that only it can read, and with this script's arguments.
case "$VALKEY_PASSWORD" in
  "" | *[!A-Za-z0-9._~-]*)
    echo "The password of Valkey may have letters, digits, and . _ ~ - only: it is part of a URL." >&2
    exit 1
    ;;
esac
umask 077
printf 'requirepass %s\n' "$VALKEY_PASSWORD" >/run/valkey/auth.conf
unset VALKEY_PASSWORD VALKEYCLI_AUTH REDISCLI_AUTH
exec valkey-server /run/valkey/auth.conf "$@"
