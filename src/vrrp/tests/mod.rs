//! Tests of the speaker, named by the section of the RFC that they hold. Time is virtual, the kernel a few lines.

mod backup;
mod bench;
mod master;
mod startup;
mod timer;
