//! Something that is wrong at a place of a manifest, whether its text says so or the disk.

pub(crate) use spin_app_model::manifest::Problem as Mistake;
