//! The forms of texts in a manifest, as far as patterns can tell.
//!
//! A pattern may accept more than the parser does, never less. They keep to what all dialects of regular expressions
//! have in common, because every editor has its own: no looking around, no classes that depend on Unicode.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::super::names::{DIGITS, Digest, PackageName};
use super::super::schema::DependencyName;
use crate::names::{ComponentId, MAX_COMPONENT_ID, MAX_TRIGGER_TYPE, TriggerType};

/// What the names of ids are joined from; see `ids.rs`.
const WORD: &str = "([a-z][a-z0-9]*|[A-Z][A-Z0-9]*)";

/// A complete version.
const VERSION: &str = r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?";

/// One of the comparisons that a version requirement is made of.
const COMPARISON: &str =
    r"(=|>|>=|<|<=|~|\^)? *([0-9]+|[*xX])(\.([0-9]+|[*xX])){0,2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?";

/// `**` beside something else than slashes.
const CROWDED_STARS: &str = r"[^/]\*\*|\*\*[^/]";

fn kebab() -> String {
    format!("{WORD}(-{WORD})*")
}

fn matching(pattern: impl AsRef<str>) -> Schema {
    json_schema!({ "type": "string", "pattern": pattern.as_ref() })
}

/// A text that is something, and in which nothing of the kind occurs.
fn without(pattern: impl AsRef<str>) -> Schema {
    json_schema!({ "type": "string", "pattern": r"^[^\x00]+$", "not": { "pattern": pattern.as_ref() } })
}

/// Says what a text of a type looks like.
macro_rules! written {
    ($name:ident, $schema:expr) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

/// A text that has a form but, once read, no type of its own.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $schema:expr) => {
        $(#[$doc])*
        pub(in super::super) enum $name {}

        written!($name, $schema);
    };
}

written!(ComponentId, {
    let mut schema = matching(format!("^{}$", kebab()));
    schema.insert("maxLength".to_owned(), MAX_COMPONENT_ID.into());
    schema
});
written!(TriggerType, matching(format!("^[a-z0-9][a-z0-9_-]{{0,{}}}$", MAX_TRIGGER_TYPE - 1)));
written!(Digest, matching(format!("^sha256:[0-9A-Fa-f]{{{DIGITS}}}$")));
written!(PackageName, matching(format!("^{kebab}:{kebab}$", kebab = kebab())));
written!(DependencyName, matching(format!("^({kebab}|{kebab}:{kebab}(/{kebab})?(@{VERSION})?)$", kebab = kebab())));

text!(
    /// The name of a variable.
    VariableName,
    matching("^[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*$")
);
text!(
    /// The name of an environment variable.
    EnvironmentName,
    matching(r"^[^=\x00]+$")
);
text!(
    /// The value of an environment variable.
    EnvironmentValue,
    matching(r"^[^\x00]*$")
);
text!(
    /// The label of a store.
    Label,
    matching(format!("^{WORD}((-{WORD})*|(_{WORD})*)$"))
);
text!(
    /// An address to download from.
    WebAddress,
    matching(r"^[\x00-\x20]*[Hh][Tt][Tt][Pp][Ss]?:")
);
text!(
    /// One version and no other.
    ExactVersion,
    matching(format!("^{VERSION}$"))
);
text!(
    /// Which versions would do.
    Requirement,
    matching(format!("^ *{COMPARISON}( *, *{COMPARISON})* *$"))
);
text!(
    /// A registry, without a scheme.
    Registry,
    json_schema!({ "type": "string", "pattern": r"^[^ \t\r\n]+$", "not": { "pattern": "://" } })
);
text!(
    /// A path.
    FilePath,
    matching(r"^[^\x00]+$")
);
text!(
    /// A path that is not meant as an address.
    SourcePath,
    without("://")
);
text!(
    /// Files beside the manifest: not all of the folder, and nothing outside of it.
    FilePattern,
    without(format!(r"^/|^\.\./|(^|/)\.\.?$|{CROWDED_STARS}"))
);
text!(
    /// A glob.
    Glob,
    json_schema!({ "type": "string", "not": { "pattern": CROWDED_STARS } })
);
text!(
    /// A path of the guest.
    Destination,
    without(r"^/*\.\.(/|$)")
);
text!(
    /// What a shell runs.
    CommandLine,
    matching(r"^[^\x00]+$")
);
text!(
    /// A folder relative to the manifest.
    Workdir,
    json_schema!({ "type": "string", "pattern": r"^[^\x00]*$", "not": { "pattern": "^/" } })
);
text!(
    /// An entry of `allowed_outbound_hosts`: with a scheme, or with a variable that may bring one.
    HostTemplate,
    matching(r"://|\{\{")
);
text!(
    /// An entry of `allowed_http_hosts`: a host and perhaps a port.
    HttpHost,
    matching(r"^[^/?#@\\ \t\r\n]+$")
);
text!(
    /// The name of an environment with its version.
    TargetName,
    json_schema!({ "type": "string", "pattern": r"^[^/\\:@]+([:@][^/\\:@]+)?$", "not": { "pattern": r"\.\." } })
);
