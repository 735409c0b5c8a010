//! `redis` in its three generations. Every call but `open` is about the connection that was opened last; in the first
//! generation, about the address that was. An argument of `execute` that begins with `#` is a number.

use crate::shown::{result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:redis;
                 world imports {
                     import fermyon:spin/redis;
                     import fermyon:spin/redis@2.0.0;
                     import spin:redis/redis@3.0.0;
                 }",
        path: [
            "../../../wit/fermyon-spin",
            "../../../wit/fermyon-spin-2.0.0",
            "../../../wit/spin-redis-3.0.0",
        ],
        generate_all,
    });
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

/// An answer of `execute` in the notation of WIT.
macro_rules! answers {
    ($results:expr, $kind:ident) => {
        result($results.map(|values| {
            let shown = values.iter().map(|value| match value {
                $kind::Nil => "nil".to_owned(),
                $kind::Status(text) => format!("status({text})"),
                $kind::Int64(number) => format!("int64({number})"),
                $kind::Binary(bytes) => format!("binary({})", bytes.escape_ascii()),
            });
            shown.collect::<Vec<String>>()
        }))
    };
}

macro_rules! parameters {
    ($words:expr, $kind:ident) => {
        $words
            .iter()
            .map(|word| match word.strip_prefix('#') {
                Some(number) => $kind::Int64(number.parse().expect("a number")),
                None => $kind::Binary(word.as_bytes().to_vec()),
            })
            .collect::<Vec<_>>()
    };
}

pub fn generation1(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin::redis;
    use bindings::fermyon::spin::redis_types::{RedisParameter, RedisResult};
    let mut address = String::new();
    let mut call = |call: &[&str]| match call {
        ["open", to] => {
            address = to.to_string();
            "ok".to_owned()
        }
        ["publish", channel, payload] => result(redis::publish(&address, channel, payload.as_bytes())),
        ["get", key] => result(redis::get(&address, key)),
        ["set", key, value] => result(redis::set(&address, key, value.as_bytes())),
        ["incr", key] => result(redis::incr(&address, key)),
        ["del", keys @ ..] => result(redis::del(&address, &strings(keys))),
        ["sadd", key, values @ ..] => result(redis::sadd(&address, key, &strings(values))),
        ["smembers", key] => result(redis::smembers(&address, key).map(sorted)),
        ["srem", key, values @ ..] => result(redis::srem(&address, key, &strings(values))),
        ["execute", name, arguments @ ..] => {
            answers!(redis::execute(&address, name, &parameters!(arguments, RedisParameter)), RedisResult)
        }
        other => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

pub fn generation2(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin2_0_0::redis::{Connection, RedisParameter, RedisResult};
    let mut connection: Option<Connection> = None;
    let mut more = Vec::new();
    let mut call = |call: &[&str]| match (call, &connection) {
        (["open", address], _) => result(Connection::open(address).map(|opened| connection = Some(opened))),
        (["open-many", address, count], _) => {
            let count: usize = count.parse().expect("a number");
            let opened = (0..count).try_for_each(|_| Connection::open(address).map(|opened| more.push(opened)));
            result(opened)
        }
        (["publish", channel, payload], Some(redis)) => result(redis.publish(channel, payload.as_bytes())),
        (["get", key], Some(redis)) => result(redis.get(key)),
        (["set", key, value], Some(redis)) => result(redis.set(key, value.as_bytes())),
        (["incr", key], Some(redis)) => result(redis.incr(key)),
        (["del", keys @ ..], Some(redis)) => result(redis.del(&strings(keys))),
        (["sadd", key, values @ ..], Some(redis)) => result(redis.sadd(key, &strings(values))),
        (["smembers", key], Some(redis)) => result(redis.smembers(key).map(sorted)),
        (["srem", key, values @ ..], Some(redis)) => result(redis.srem(key, &strings(values))),
        (["execute", name, arguments @ ..], Some(redis)) => {
            answers!(redis.execute(name, &parameters!(arguments, RedisParameter)), RedisResult)
        }
        (other, _) => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

pub async fn generation3(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::spin::redis::redis::{Connection, RedisParameter, RedisResult};
    let mut connection: Option<Connection> = None;
    let mut answers = Vec::new();
    for words in calls {
        answers.push(match (words.as_slice(), &connection) {
            (["open", address], _) => {
                result(Connection::open(address.to_string()).await.map(|opened| connection = Some(opened)))
            }
            (["publish", channel, payload], Some(redis)) => {
                result(redis.publish(channel.to_string(), payload.as_bytes().to_vec()).await)
            }
            (["get", key], Some(redis)) => result(redis.get(key.to_string()).await),
            (["set", key, value], Some(redis)) => {
                result(redis.set(key.to_string(), value.as_bytes().to_vec()).await)
            }
            (["incr", key], Some(redis)) => result(redis.incr(key.to_string()).await),
            (["del", keys @ ..], Some(redis)) => result(redis.del(strings(keys)).await),
            (["sadd", key, values @ ..], Some(redis)) => {
                result(redis.sadd(key.to_string(), strings(values)).await)
            }
            (["smembers", key], Some(redis)) => result(redis.smembers(key.to_string()).await.map(sorted)),
            (["srem", key, values @ ..], Some(redis)) => {
                result(redis.srem(key.to_string(), strings(values)).await)
            }
            (["execute", name, arguments @ ..], Some(redis)) => {
                let arguments = parameters!(arguments, RedisParameter);
                answers!(redis.execute(name.to_string(), arguments).await, RedisResult)
            }
            (other, _) => unknown(other),
        });
    }
    answers
}

/// Members of a set come in no order.
fn sorted(mut members: Vec<String>) -> Vec<String> {
    members.sort();
    members
}
