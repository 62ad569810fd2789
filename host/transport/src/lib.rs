//! Empty until its issue fills it.
