//! Which interfaces belong to which key of a manifest's `inherit_configuration`.

use spin_app_model::lock::Inherit;

use crate::interface;

/// The keys, each with the interfaces that it gives access to. Versions don't matter: what is denied is denied in all.
pub(super) const SETS: [(&str, &[&str]); 7] = [
    ("ai_models", &["fermyon:spin/llm"]),
    (
        "allowed_outbound_hosts",
        &[
            "fermyon:spin/http",
            "fermyon:spin/mqtt",
            "fermyon:spin/mysql",
            "fermyon:spin/postgres",
            "fermyon:spin/redis",
            "spin:mqtt/mqtt",
            "spin:mysql/mysql",
            "spin:postgres/postgres",
            "spin:redis/redis",
            "wasi:http/client",
            "wasi:http/handler",
            "wasi:http/outgoing-handler",
            "wasi:sockets/ip-name-lookup",
            "wasi:sockets/tcp",
            "wasi:sockets/tcp-create-socket",
            "wasi:sockets/types",
            "wasi:sockets/udp",
            "wasi:sockets/udp-create-socket",
        ],
    ),
    ("environment", &["wasi:cli/environment"]),
    ("files", &["wasi:filesystem/preopens"]),
    (
        "key_value_stores",
        &[
            "fermyon:spin/key-value",
            "spin:key-value/key-value",
            "wasi:keyvalue/atomics",
            "wasi:keyvalue/batch",
            "wasi:keyvalue/store",
        ],
    ),
    ("sqlite_databases", &["fermyon:spin/sqlite", "spin:sqlite/sqlite"]),
    ("variables", &["fermyon:spin/config", "fermyon:spin/variables", "spin:variables/variables", "wasi:config/store"]),
];

/// The key that a dependency would need to use an import, if it doesn't have it.
pub(super) fn missing_key(import: &str, inherit: &Inherit) -> Option<&'static str> {
    let (key, _) = SETS.into_iter().find(|(_, interfaces)| interfaces.contains(&interface::path(import)))?;
    let is_inherited = match inherit {
        Inherit::Nothing => false,
        Inherit::All => true,
        Inherit::Some(keys) => keys.iter().any(|one| one == key),
    };
    (!is_inherited).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What components export, and what has types alone.
    const NOT_OF_THE_HOST: [&str; 6] = [
        "fermyon:spin/http-types",
        "fermyon:spin/inbound-http",
        "fermyon:spin/inbound-redis",
        "fermyon:spin/rdbms-types",
        "fermyon:spin/redis-types",
        "spin:redis/inbound-redis",
    ];

    #[test]
    fn every_interface_of_ours_belongs_to_a_key() {
        let mut count = 0;
        for folder in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/wit")).expect("a folder") {
            let folder = folder.expect("an entry").path();
            let files = std::fs::read_dir(&folder)
                .into_iter()
                .flatten()
                .filter_map(|file| std::fs::read_to_string(file.ok()?.path()).ok());
            let files: Vec<String> = files.collect();
            let lines = || files.iter().flat_map(|text| text.lines());
            let package = lines().find_map(|line| line.strip_prefix("package "));
            let Some(package) = package.and_then(|name| name.split(['@', ';']).next()) else { continue };
            for interface in lines().filter_map(|line| line.strip_prefix("interface ")?.strip_suffix(" {")) {
                let name = format!("{package}/{interface}");
                let is_known = SETS.iter().any(|(_, interfaces)| interfaces.contains(&name.as_str()));
                assert!(
                    is_known || NOT_OF_THE_HOST.contains(&name.as_str()),
                    "{name} would be given to every dependency"
                );
                count += usize::from(is_known);
            }
        }
        assert!(count >= 10, "{count}");
    }

    #[test]
    fn a_key_gives_its_interfaces_in_every_version_and_no_others() {
        let one = Inherit::Some(vec!["variables".to_owned(), "nonsense".to_owned()]);
        for (import, nothing, some) in [
            ("fermyon:spin/variables@2.0.0", Some("variables"), None),
            ("spin:variables/variables@3.0.0", Some("variables"), None),
            ("fermyon:spin/config", Some("variables"), None),
            ("wasi:keyvalue/store@0.2.0-draft2", Some("key_value_stores"), Some("key_value_stores")),
            ("wasi:http/client@0.3.0-rc-2026-03-15", Some("allowed_outbound_hosts"), Some("allowed_outbound_hosts")),
            ("wasi:http/types@0.2.6", None, None),
            ("wasi:clocks/wall-clock@0.2.6", None, None),
            ("my:own/variables", None, None),
        ] {
            assert_eq!(missing_key(import, &Inherit::Nothing), nothing, "{import}");
            assert_eq!(missing_key(import, &one), some, "{import}");
            assert_eq!(missing_key(import, &Inherit::All), None, "{import}");
        }
    }
}
