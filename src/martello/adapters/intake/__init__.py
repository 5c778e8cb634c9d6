"""Where events arrive: an HTTP door that answers when they are kept, and logs that are followed."""
