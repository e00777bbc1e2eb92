//! Tests of the speaker, named by the section of the RFC that they hold. Time is virtual, the kernel a few lines.

mod backup;
mod bench;
mod commands;
mod group;
mod kernel;
mod master;
mod network;
mod probing;
mod property;
mod receive;
mod startup;
mod takeover;
mod timer;
mod track;
mod transmit;
