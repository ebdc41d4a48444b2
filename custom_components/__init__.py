"""Makes the folder a package, so that tests find the integration where Home Assistant would."""
