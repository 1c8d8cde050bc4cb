"""What an alert means: rule files, compiled so that one alert is decided in about a microsecond."""
