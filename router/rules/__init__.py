"""Rule files, compiled so that a decision about one alert takes about a microsecond."""
