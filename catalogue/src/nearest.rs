//! "Did you mean …": the known name closest to one that is not known.

/// The name among `known` closest to `name`, if any is close enough to be a likely slip of the fingers.
///
/// ```
/// use spin_catalogue::nearest::nearest;
///
/// assert_eq!(nearest("trigger-htp", ["kube", "trigger-http"]), Some("trigger-http"));
/// assert_eq!(nearest("zebra", ["kube", "trigger-http"]), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the length: "trigger-sqs" is not a misspelt "trigger-http" just because both start alike.
    let limit = name.trim_start_matches("trigger-").chars().count().div_ceil(3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["kube", "trigger-cron", "trigger-http", "trigger-redis", "trigger-sqs"];
        assert_eq!(nearest("trigger-htpt", known), Some("trigger-http"));
        assert_eq!(nearest("trigger-reddis", known), Some("trigger-redis"));
        assert_eq!(nearest("kub", known), Some("kube"));
        assert_eq!(nearest("trigger-mqtt", known), None);
        assert_eq!(nearest("trigger-http", []), None);
    }
}
