"""A jobtype tried without a farm: it runs a TD's code, and no part of the service imports it."""
