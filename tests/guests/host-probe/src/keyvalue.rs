//! `wasi:keyvalue`: the bucket that was opened last, and the handle of `cas` that was made last.

use crate::shown::{result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:keyvalue;
                 world imports {
                     import wasi:keyvalue/store@0.2.0-draft2;
                     import wasi:keyvalue/atomics@0.2.0-draft2;
                     import wasi:keyvalue/batch@0.2.0-draft2;
                 }",
        path: ["../../../wit/wasi-keyvalue-0.2.0-draft2"],
        generate_all,
    });
}

use bindings::wasi::keyvalue::atomics::{Cas, CasError, increment, swap};
use bindings::wasi::keyvalue::batch::{delete_many, get_many, set_many};
use bindings::wasi::keyvalue::store::{Bucket, open};

pub fn session(calls: &[Vec<&str>]) -> Vec<String> {
    let (mut bucket, mut cas) = (None, None);
    calls.iter().map(|words| call(words, &mut bucket, &mut cas)).collect()
}

fn call(call: &[&str], opened: &mut Option<Bucket>, cas: &mut Option<Cas>) -> String {
    if let ["open", identifier] = call {
        return result(open(identifier).map(|bucket| *opened = Some(bucket)));
    }
    let Some(bucket) = opened else { return unknown(call) };
    match call {
        ["get", key] => result(bucket.get(key)),
        ["set", key, value] => result(bucket.set(key, value.as_bytes())),
        ["delete", key] => result(bucket.delete(key)),
        ["exists", key] => result(bucket.exists(key)),
        ["list-keys"] => result(bucket.list_keys(None).map(|answer| {
            let mut keys = answer.keys;
            keys.sort();
            keys
        })),
        ["list-keys", cursor] => result(bucket.list_keys(Some(cursor)).map(|answer| answer.keys)),
        ["get-many", keys @ ..] => result(get_many(bucket, &texts(keys))),
        ["count-bytes", keys @ ..] => result(get_many(bucket, &texts(keys)).map(|values| {
            values.iter().filter_map(|(_, value)| value.as_ref()).map(Vec::len).sum::<usize>()
        })),
        ["set-many", pairs @ ..] => {
            let pair = |pair: &[&str]| (pair[0].to_owned(), pair[1].as_bytes().to_vec());
            result(set_many(bucket, &pairs.chunks_exact(2).map(pair).collect::<Vec<_>>()))
        }
        ["delete-many", keys @ ..] => result(delete_many(bucket, &texts(keys))),
        ["increment", key, delta] => result(increment(bucket, key, delta.parse().expect("a number"))),
        ["cas", key] => result(Cas::new(bucket, key).map(|made| *cas = Some(made))),
        ["current"] => result(cas.as_ref().expect("cas comes first").current()),
        ["swap", value] => match swap(cas.take().expect("cas comes first"), value.as_bytes()) {
            Err(CasError::CasFailed(again)) => {
                *cas = Some(again);
                "err(cas-failed)".to_owned()
            }
            Err(CasError::StoreError(error)) => result::<(), _>(Err(error)),
            Ok(()) => "ok".to_owned(),
        },
        // Adds one until nobody came between.
        ["swap-increment", key] => {
            let mut cas = Cas::new(bucket, key).expect("made");
            loop {
                let current = match cas.current() {
                    Ok(current) => current.unwrap_or_else(|| b"0".to_vec()),
                    Err(error) => return result::<(), _>(Err(error)),
                };
                let count: u64 = String::from_utf8_lossy(&current).parse().expect("a number");
                match swap(cas, (count + 1).to_string().as_bytes()) {
                    Ok(()) => return "ok".to_owned(),
                    Err(CasError::CasFailed(again)) => cas = again,
                    Err(CasError::StoreError(error)) => return result::<(), _>(Err(error)),
                }
            }
        }
        other => unknown(other),
    }
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}
