//! The product as its users run it: real processes, driven from outside.
//!
//! One program for all files, so that it is linked once; each file is one idea.

mod access_log;
mod audio;
mod bodies;
mod bounds;
mod broken;
mod chaos;
mod clients;
mod configuration;
mod credentials;
mod debug;
mod drain;
mod ejection;
mod endpoint;
mod endurance;
mod engines;
mod exactness;
mod examples;
mod hostile;
mod http2;
mod https;
mod leaving;
mod limits;
mod live;
mod metrics;
mod models;
mod page;
mod picker;
mod prefix;
mod protocols;
mod retries;
mod saturation;
mod scheduling;
mod scraping;
mod served_by;
mod shapes;
mod shutdown;
mod slow_clients;
mod spine;
mod startup;
mod steering;
mod tls;
mod tracing;
mod usage;
mod xds;
