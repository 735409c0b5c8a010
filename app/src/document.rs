//! TOML that a person wrote: tables that know where they stand, and a report of everything that is wrong.
//!
//! A derived reader stops at the first mistake and, asked for its place, often names the whole table. Here a document is
//! walked by hand: a [`Table`] gives what could be read, its [`Report`] collects what could not, and one pass finds it all.
//! Messages name keys and kinds of values, and never a value that the reader did not choose to show: it may be a secret.
//!
//! ```
//! use std::path::Path;
//! use spin_app_model::document::{self, Report, Table};
//!
//! let text = "name = 1\nsise = 2\n";
//! let report = Report::new(text);
//! let fields = document::parse(text, &report).expect("it is TOML");
//! let table = Table::document(&fields, &report, "the file");
//! table.expect_only(&["name", "size"], &[]);
//! assert_eq!(table.plain_text("name"), None);
//! assert_eq!(
//!     report.into_error(Path::new("a.toml")).expect("two problems").to_string(),
//!     "\
//! a.toml:1:8: `name` in the file must be a text in quotes, not an integer
//! a.toml:2:1: unknown key `sise` in the file
//!   help: did you mean `size`?",
//! );
//! ```

mod problems;
mod report;
mod table;

use toml::de::DeTable;

pub use problems::{Invalid, Located, Position, Problem, Problems};
pub use report::{Report, did_you_mean, quoted};
pub(crate) use report::{bare_or_quoted, nearest};
pub use table::{Table, kind, mismatch, text};

/// The fields of a document; `None` if it is no TOML, which is reported.
pub fn parse<'t>(text: &'t str, report: &Report<'t>) -> Option<DeTable<'t>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(document.into_inner());
    }
    for error in errors {
        report.problem(&error.span().unwrap_or(0..0), error.message().replace('\n', "; "));
    }
    None
}
