//! Reading of values that have more than one form. By hand, because derived readers for such values forget what was wrong.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Unexpected, Visitor};

use super::{ExecutorConfig, RouteConfig, WagiConfig};
use crate::policy;
use crate::range::{Range, RangeError};

const DEFAULT_ARGV: &str = "${SCRIPT_NAME} ${ARGS}";
const WAGI_ENTRYPOINT: &str = "_start";

impl<'de> Deserialize<'de> for RouteConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RouteVisitor)
    }
}

struct RouteVisitor;

impl<'de> Visitor<'de> for RouteVisitor {
    type Value = RouteConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a route such as \"/users/:id/...\" or { private = true }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RouteConfig, E> {
        Ok(RouteConfig::Path(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<RouteConfig, E> {
        Ok(RouteConfig::Path(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RouteConfig, A::Error> {
        let mut private = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "private" if private.is_some() => return Err(A::Error::duplicate_field("private")),
                "private" => private = Some(map.next_value::<bool>()?),
                other => return Err(A::Error::unknown_field(other, &["private"])),
            }
        }
        match private {
            Some(true) => Ok(RouteConfig::Private),
            Some(false) => Err(A::Error::custom("`route` is { private = false }: write the route itself instead")),
            None => Err(A::Error::missing_field("private")),
        }
    }
}

impl<'de> Deserialize<'de> for ExecutorConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ExecutorVisitor)
    }
}

struct ExecutorVisitor;

impl<'de> Visitor<'de> for ExecutorVisitor {
    type Value = ExecutorConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an executor such as { type = \"http\" }")
    }

    /// Locks of version 0 say so where the manifest says nothing.
    fn visit_unit<E: Error>(self) -> Result<ExecutorConfig, E> {
        Ok(ExecutorConfig::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExecutorConfig, A::Error> {
        const KEYS: &[&str] = &["type", "argv", "entrypoint"];
        let (mut kind, mut argv, mut entrypoint) = (None::<String>, None::<String>, None::<String>);
        while let Some(key) = map.next_key::<String>()? {
            let (place, name) = match key.as_str() {
                "type" => (&mut kind, KEYS[0]),
                "argv" => (&mut argv, KEYS[1]),
                "entrypoint" => (&mut entrypoint, KEYS[2]),
                other => {
                    map.next_value::<IgnoredAny>()?;
                    return Err(A::Error::unknown_field(other, KEYS));
                }
            };
            if place.replace(map.next_value()?).is_some() {
                return Err(A::Error::duplicate_field(name));
            }
        }
        match kind.as_deref() {
            Some("http" | "spin") if argv.is_some() || entrypoint.is_some() => {
                Err(A::Error::custom("`argv` and `entrypoint` belong to the executor `wagi` only"))
            }
            Some("http" | "spin") => Ok(ExecutorConfig::Http),
            Some("wagi") => match entrypoint.as_deref() {
                None | Some(WAGI_ENTRYPOINT) => {
                    Ok(ExecutorConfig::Wagi(WagiConfig { argv: argv.unwrap_or_else(|| DEFAULT_ARGV.to_owned()) }))
                }
                Some(other) => Err(A::Error::custom(format!(
                    "deprecated 'entrypoint': only `{WAGI_ENTRYPOINT}` is possible, not `{other}`; remove the key"
                ))),
            },
            Some(other) => Err(A::Error::invalid_value(Unexpected::Str(other), &"`http`, `spin` or `wagi` as `type`")),
            None => Err(A::Error::missing_field("type")),
        }
    }
}

const A_COUNT: &str = "a count such as 128 or \"64..129\"";
const A_DURATION: &str = "a duration such as 30 (seconds), \"500ms\" or \"10s..20s\"";

type Read<T, E> = Result<Option<Range<T>>, E>;

pub(super) fn max_instance_reuse_count<'de, D: Deserializer<'de>>(from: D) -> Read<u32, D::Error> {
    from.deserialize_any(OneOrRange("max_instance_reuse_count", policy::count, A_COUNT)).map(Some)
}

pub(super) fn max_instance_concurrent_reuse_count<'de, D: Deserializer<'de>>(from: D) -> Read<u32, D::Error> {
    from.deserialize_any(OneOrRange("max_instance_concurrent_reuse_count", policy::count, A_COUNT)).map(Some)
}

pub(super) fn idle_instance_timeout<'de, D: Deserializer<'de>>(from: D) -> Read<Duration, D::Error> {
    from.deserialize_any(OneOrRange("idle_instance_timeout", policy::duration, A_DURATION)).map(Some)
}

pub(super) fn request_timeout<'de, D: Deserializer<'de>>(from: D) -> Read<Duration, D::Error> {
    from.deserialize_any(OneOrRange("request_timeout", policy::positive_duration, A_DURATION)).map(Some)
}

/// What a flag takes as text, or a number alone: the key, how it is read, and what is expected.
struct OneOrRange<T>(&'static str, fn(&str) -> Result<Range<T>, RangeError>, &'static str);

impl<T> Visitor<'_> for OneOrRange<T> {
    type Value = Range<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(key, _, expected) = self;
        write!(f, "`{key}` as {expected}")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Range<T>, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Range<T>, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Range<T>, E> {
        let Self(key, read, expected) = self;
        read(text).map_err(|error| E::custom(format!("`{key}`: {error}; expected {expected}")))
    }
}
