//! `key-value` in its three generations of Spin. Every call but `open` is about the store that was opened last.

use crate::shown::{result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:key-value;
                 world imports {
                     import fermyon:spin/key-value;
                     import fermyon:spin/key-value@2.0.0;
                     import spin:key-value/key-value@3.0.0;
                 }",
        path: [
            "../../../wit/fermyon-spin",
            "../../../wit/fermyon-spin-2.0.0",
            "../../../wit/spin-key-value-3.0.0",
        ],
        generate_all,
    });
}

pub fn generation1(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin::key_value;
    let mut store = u32::MAX;
    let mut call = |call: &[&str]| match call {
        ["open", label] => result(key_value::open(label).map(|opened| store = opened)),
        ["get", key] => result(key_value::get(store, key)),
        ["set", key, value] => result(key_value::set(store, key, value.as_bytes())),
        ["delete", key] => result(key_value::delete(store, key)),
        ["exists", key] => result(key_value::exists(store, key)),
        ["get-keys"] => result(key_value::get_keys(store)),
        ["close"] => {
            key_value::close(store);
            "ok".to_owned()
        }
        other => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

pub fn generation2(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin2_0_0::key_value::Store;
    let mut store: Option<Store> = None;
    let mut call = |call: &[&str]| match (call, &store) {
        (["open", label], _) => result(Store::open(label).map(|opened| store = Some(opened))),
        (["get", key], Some(store)) => result(store.get(key)),
        (["set", key, value], Some(store)) => result(store.set(key, value.as_bytes())),
        (["delete", key], Some(store)) => result(store.delete(key)),
        (["exists", key], Some(store)) => result(store.exists(key)),
        (["get-keys"], Some(store)) => result(store.get_keys()),
        (["large", key, bytes], Some(store)) => {
            result(store.set(key, &vec![b'x'; bytes.parse().expect("a number")]))
        }
        (other, _) => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

pub async fn generation3(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::spin::key_value::key_value::Store;
    let mut store: Option<Store> = None;
    let mut answers = Vec::new();
    for words in calls {
        answers.push(match (words.as_slice(), &store) {
            (["open", label], _) => {
                result(Store::open(label.to_string()).await.map(|opened| store = Some(opened)))
            }
            (["get", key], Some(store)) => result(store.get(key.to_string()).await),
            (["set", key, value], Some(store)) => {
                result(store.set(key.to_string(), value.as_bytes().to_vec()).await)
            }
            (["delete", key], Some(store)) => result(store.delete(key.to_string()).await),
            (["exists", key], Some(store)) => result(store.exists(key.to_string()).await),
            (["get-keys"], Some(store)) => {
                let (keys, ended) = store.get_keys().await;
                let mut keys = keys.collect().await;
                // They come in no order.
                keys.sort();
                result(ended.await.map(|()| keys))
            }
            (["count-keys"], Some(store)) => {
                let (keys, ended) = store.get_keys().await;
                let count = crate::counted::count(keys).await;
                result(ended.await.map(|()| count))
            }
            (other, _) => unknown(other),
        });
    }
    answers
}
