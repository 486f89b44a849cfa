//! The product as its users run it: real processes, driven from outside.
//!
//! One program for all files, so that it is linked once; each file is one idea.

mod access_log;
mod bodies;
mod chaos;
mod configuration;
mod debug;
mod endpoint;
mod endurance;
mod engines;
mod exactness;
mod examples;
mod hostile;
mod limits;
mod live;
mod metrics;
mod models;
mod page;
mod picker;
mod prefix;
mod saturation;
mod scheduling;
mod scraping;
mod shutdown;
mod spine;
mod startup;
mod steering;
mod usage;
mod xds;
