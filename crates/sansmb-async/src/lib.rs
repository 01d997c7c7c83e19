//! The runtime-neutral async facade and drivers of sansmb
