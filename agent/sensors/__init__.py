"""Where events come from: one file a sensor."""
