//! Which entry of the app serves a path: the routes of all `[[trigger.http]]` entries and the lookup among them.
//!
//! It must know nothing of components or of requests beyond the path. What a lookup returns is prepared when the app
//! starts: header names and values of a route are made once, not per request.
//!
//! ```
//! use trigger_http::config::RouteConfig;
//! use trigger_http::route::{RouteEntry, Router};
//!
//! let users = RouteConfig::Path("/users/:id/...".to_owned());
//! let (router, notices) = Router::build([RouteEntry { id: "users", route: &users }])?;
//! assert!(notices.is_empty());
//!
//! let found = router.find("/users/42/orders/").expect("a path below the route");
//! assert_eq!(found.entry(), 0);
//! assert_eq!(found.path_info(), "/orders/");
//! assert_eq!(found.params().map(|(_, value)| value).collect::<Vec<_>>(), ["42"]);
//! # Ok::<(), trigger_http::route::RouteError>(())
//! ```

#[cfg(test)]
mod model;
mod notice;
mod pattern;
#[cfg(test)]
mod table;
mod tree;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use http::{HeaderName, HeaderValue};

pub use self::notice::{RouteError, RouteNotice, RouteProblem};
use self::pattern::{Captures, Parsed, Pattern};
use self::tree::Tree;
use crate::config::RouteConfig;
use crate::well_known;

/// What the router is built from: one `[[trigger.http]]` entry.
#[derive(Clone, Copy, Debug)]
pub struct RouteEntry<'a> {
    /// How messages name it: the component, or the trigger of a static response.
    pub id: &'a str,
    /// Its route.
    pub route: &'a RouteConfig,
}

/// The routes of an app.
#[derive(Debug)]
pub struct Router {
    /// Best rank first.
    routes: Vec<Route>,
    tree: Tree,
    private: Vec<usize>,
}

/// A route that can be reached from outside.
#[derive(Debug)]
pub struct Route {
    entry: usize,
    text: String,
    pattern: Pattern,
    headers: RouteHeaders,
    params: Vec<Param>,
}

/// The values of the headers that are the same for every request of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteHeaders {
    /// `spin-matched-route`: the route with a leading and without a trailing slash.
    pub matched: HeaderValue,
    /// `spin-raw-component-route`: the route as written in the manifest.
    pub raw: HeaderValue,
    /// `spin-component-route`: as written, without `/...`.
    pub component: HeaderValue,
}

/// A capture of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    name: Box<str>,
    header: Option<HeaderName>,
}

/// The route that serves a path, and what it took from it.
#[derive(Clone, Debug)]
pub struct Match<'r, 'p> {
    route: &'r Route,
    path_info: Cow<'p, str>,
    trimmed: &'p str,
}

impl Router {
    /// Builds the router. An entry is named by its position in `entries` from then on.
    ///
    /// Of several entries with the same text the last serves the route, at the place of the first. Private entries are
    /// known, but found by no path.
    pub fn build<'a>(
        entries: impl IntoIterator<Item = RouteEntry<'a>>,
    ) -> Result<(Router, Vec<RouteNotice>), RouteError> {
        let entries: Vec<RouteEntry<'a>> = entries.into_iter().collect();
        let mut notices = Vec::new();
        let (effective, private) = effective_entries(&entries, &mut notices);

        let mut routes = Vec::with_capacity(effective.len());
        for (raw, entry) in effective {
            routes.push(Route::new(raw, entry, entries[entry].id, &mut notices)?);
        }
        // A stable sort: what ranks the same stays in the order of the manifest.
        routes.sort_by_cached_key(|route| Reverse(route.pattern.ranks()));

        let mut tree = Tree::new();
        for (index, route) in routes.iter().enumerate() {
            if let Err(first) = tree.add(&route.pattern, index) {
                notices.push(RouteNotice::Shadowed {
                    id: entries[route.entry].id.to_owned(),
                    route: route.text.clone(),
                    by_id: entries[routes[first].entry].id.to_owned(),
                    by_route: routes[first].text.clone(),
                });
            }
        }
        Ok((Router { routes, tree, private }, notices))
    }

    /// The route for a request's path as it was sent: neither decoded nor folded, without the query.
    pub fn find<'r, 'p>(&'r self, path: &'p str) -> Option<Match<'r, 'p>> {
        let trimmed = pattern::trim(path);
        let found = self.tree.find(trimmed)?;
        let route = &self.routes[found.route];
        let path_info = match route.pattern.wildcard {
            true => path_info(path, trimmed, found.caught),
            false => Cow::Borrowed(""),
        };
        Some(Match { route, path_info, trimmed })
    }

    /// All routes that have a path, best rank first.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// The entries that can only be reached by service chaining.
    pub fn private(&self) -> &[usize] {
        &self.private
    }
}

/// The entry of each route's text, in the order of the manifest, and the private entries.
fn effective_entries<'a>(
    entries: &[RouteEntry<'a>],
    notices: &mut Vec<RouteNotice>,
) -> (Vec<(&'a str, usize)>, Vec<usize>) {
    let mut effective: Vec<(&str, usize)> = Vec::new();
    let mut private = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut replaced: Vec<(usize, usize)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let RouteConfig::Path(raw) = entry.route else {
            private.push(index);
            continue;
        };
        let place = *places.entry(raw).or_insert(effective.len());
        if place == effective.len() {
            effective.push((raw, index));
        } else {
            replaced.push((effective[place].1, place));
            effective[place].1 = index;
        }
    }
    notices.extend(replaced.into_iter().map(|(loser, place)| RouteNotice::Duplicate {
        route: effective[place].0.to_owned(),
        replaced: entries[loser].id.to_owned(),
        effective: entries[effective[place].1].id.to_owned(),
    }));
    (effective, private)
}

/// What a trailing wildcard caught, with the slash before it and, if the path ends in slashes, one of them.
fn path_info<'p>(path: &'p str, trimmed: &str, caught: Option<&str>) -> Cow<'p, str> {
    if trimmed.is_empty() {
        return Cow::Borrowed(if path.is_empty() { "" } else { "/" });
    }
    let leading = path.len() - path.trim_start_matches('/').len();
    let end = leading + trimmed.len();
    let caught = caught.map_or(0, |caught| caught.len() + 1);
    let with_one_slash = &path[..path.len().min(end + 1)];
    match end.checked_sub(caught) {
        Some(start) => Cow::Borrowed(&with_one_slash[start..]),
        // A path without a leading slash: only `OPTIONS *` has one.
        None => Cow::Owned(format!("/{with_one_slash}")),
    }
}

impl Route {
    fn new(raw: &str, entry: usize, id: &str, notices: &mut Vec<RouteNotice>) -> Result<Route, RouteError> {
        let error = |problem| RouteError { id: id.to_owned(), route: raw.to_owned(), problem };
        let text = pattern::normalise(raw);
        let Parsed { pattern, names, misleading } = Pattern::parse(&text).map_err(error)?;
        let value = |text: &str| {
            HeaderValue::from_bytes(text.as_bytes()).map_err(|_invalid| error(RouteProblem::ControlCharacter))
        };
        let headers = RouteHeaders {
            matched: value(&text)?,
            raw: value(raw)?,
            component: value(raw.strip_suffix("/...").unwrap_or(raw))?,
        };
        let params: Vec<Param> = names.into_iter().map(Param::new).collect();

        let (id, route) = (id.to_owned(), raw.to_owned());
        if text.starts_with(well_known::PREFIX) {
            notices.push(RouteNotice::Reserved { id: id.clone(), route: route.clone() });
        }
        if let Some(character) = raw.chars().find(|c| matches!(c, '?' | '#') || c.is_whitespace()) {
            notices.push(RouteNotice::NeverRequested { id: id.clone(), route: route.clone(), character });
        }
        if let Some(segment) = misleading {
            notices.push(RouteNotice::NotAWildcard { id: id.clone(), route: route.clone(), segment: segment.into() });
        }
        for param in params.iter().filter(|param| param.header.is_none()) {
            let name = param.name.to_string();
            notices.push(RouteNotice::CaptureWithoutHeader { id: id.clone(), route: route.clone(), name });
        }
        Ok(Route { entry, text, pattern, headers, params })
    }

    /// The entry's position among those that the router was built from.
    pub fn entry(&self) -> usize {
        self.entry
    }

    /// The route with a leading and without a trailing slash, wildcard included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The route without its trailing wildcard: empty for the root wildcard.
    pub fn prefix(&self) -> &str {
        if !self.is_wildcard() {
            return &self.text;
        }
        self.text.rsplit_once('/').map_or("", |(prefix, _wildcard)| prefix)
    }

    /// Whether it ends in a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.pattern.wildcard
    }

    /// The headers that depend on the route only.
    pub fn headers(&self) -> &RouteHeaders {
        &self.headers
    }
}

impl RouteHeaders {
    /// The headers of a call from one component of the app to another, which no route takes part in.
    pub fn chained() -> Self {
        let all = HeaderValue::from_static("/...");
        RouteHeaders { matched: all.clone(), raw: all, component: HeaderValue::from_static("") }
    }
}

impl Param {
    fn new(name: Box<str>) -> Self {
        let header = format!("{}{}", crate::headers::PATH_MATCH_PREFIX, name.replace('_', "-"));
        Param { name, header: HeaderName::from_bytes(header.as_bytes()).ok() }
    }

    /// The name as written, without the colon.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `spin-path-match-<name>`, in lower case and with `-` for `_`; absent if that is not a valid header name.
    pub fn header(&self) -> Option<&HeaderName> {
        self.header.as_ref()
    }
}

impl<'r, 'p> Match<'r, 'p> {
    /// The entry's position among those that the router was built from.
    pub fn entry(&self) -> usize {
        self.route.entry
    }

    /// The route.
    pub fn route(&self) -> &'r Route {
        self.route
    }

    /// What the trailing wildcard caught (`""` where there is none): `""`, `"/"`, `"/bar"`, `"/bar/"`.
    pub fn path_info(&self) -> &str {
        &self.path_info
    }

    /// The captures in the order of the route. Nothing is allocated; the path is read again on demand.
    pub fn params(&self) -> impl Iterator<Item = (&'r Param, &'p str)> + use<'r, 'p> {
        self.route.params.iter().zip(Captures::new(&self.route.pattern, self.trimmed))
    }
}
