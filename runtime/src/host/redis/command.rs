//! Commands that components write themselves, and what they get as an answer.

use ::redis::Value;

use super::Error;
use crate::host::rows::Budget;

/// One value of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Nil,
    Status(String),
    Int(i64),
    Binary(Vec<u8>),
}

/// Commands after which a connection is what it was, and which hold up nobody behind them: with them a component's instances
/// may share one. What isn't here may be harmless, too, and gets a connection of its own.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "APPEND", "BITCOUNT", "BITFIELD", "BITFIELD_RO", "BITOP", "BITPOS", "COPY", "DBSIZE", "DECR", "DECRBY", "DEL", "DUMP",
    "ECHO", "EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "EXISTS", "EXPIRE", "EXPIREAT", "EXPIRETIME", "FCALL", "FCALL_RO",
    "GEOADD", "GEODIST", "GEOHASH", "GEOPOS", "GEORADIUS", "GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO", "GEORADIUS_RO",
    "GEOSEARCH", "GEOSEARCHSTORE", "GET", "GETBIT", "GETDEL", "GETEX", "GETRANGE", "GETSET", "HDEL", "HEXISTS", "HEXPIRE",
    "HEXPIREAT", "HEXPIRETIME", "HGET", "HGETALL", "HINCRBY", "HINCRBYFLOAT", "HKEYS", "HLEN", "HMGET", "HMSET", "HPERSIST",
    "HPEXPIRE", "HPEXPIREAT", "HPEXPIRETIME", "HPTTL", "HRANDFIELD", "HSCAN", "HSET", "HSETNX", "HSTRLEN", "HTTL", "HVALS",
    "INCR", "INCRBY", "INCRBYFLOAT", "KEYS", "LCS", "LINDEX", "LINSERT", "LLEN", "LMOVE", "LMPOP", "LPOP", "LPOS", "LPUSH",
    "LPUSHX", "LRANGE", "LREM", "LSET", "LTRIM", "MGET", "MSET", "MSETNX", "OBJECT", "PERSIST", "PEXPIRE", "PEXPIREAT",
    "PEXPIRETIME", "PFADD", "PFCOUNT", "PFMERGE", "PING", "PSETEX", "PTTL", "PUBLISH", "PUBSUB", "RANDOMKEY", "RENAME",
    "RENAMENX", "RESTORE", "RPOP", "RPOPLPUSH", "RPUSH", "RPUSHX", "SADD", "SCAN", "SCARD", "SDIFF", "SDIFFSTORE", "SET",
    "SETBIT", "SETEX", "SETNX", "SETRANGE", "SINTER", "SINTERCARD", "SINTERSTORE", "SISMEMBER", "SMEMBERS", "SMISMEMBER",
    "SMOVE", "SORT", "SORT_RO", "SPOP", "SPUBLISH", "SRANDMEMBER", "SREM", "SSCAN", "STRLEN", "SUBSTR", "SUNION",
    "SUNIONSTORE", "TIME", "TOUCH", "TTL", "TYPE", "UNLINK", "XACK", "XADD", "XAUTOCLAIM", "XCLAIM", "XDEL", "XGROUP",
    "XINFO", "XLEN", "XPENDING", "XRANGE", "XREVRANGE", "XSETID", "XTRIM", "ZADD", "ZCARD", "ZCOUNT", "ZDIFF", "ZDIFFSTORE",
    "ZINCRBY", "ZINTER", "ZINTERCARD", "ZINTERSTORE", "ZLEXCOUNT", "ZMPOP", "ZMSCORE", "ZPOPMAX", "ZPOPMIN", "ZRANDMEMBER",
    "ZRANGE", "ZRANGEBYLEX", "ZRANGEBYSCORE", "ZRANGESTORE", "ZRANK", "ZREM", "ZREMRANGEBYLEX", "ZREMRANGEBYRANK",
    "ZREMRANGEBYSCORE", "ZREVRANGE", "ZREVRANGEBYLEX", "ZREVRANGEBYSCORE", "ZREVRANK", "ZSCAN", "ZSCORE", "ZUNION",
    "ZUNIONSTORE",
];

/// Whether a command may go through a connection that others use.
pub(super) fn may_share(name: &str) -> bool {
    HARMLESS.iter().any(|harmless| harmless.eq_ignore_ascii_case(name))
}

/// The answer as a flat list, as the interfaces have it.
pub(super) fn flattened(value: Value) -> Result<Vec<Answer>, Error> {
    let (mut answers, mut budget) = (Vec::new(), Budget::new());
    append(value, &mut answers, &mut budget)?;
    Ok(answers)
}

/// How deep an answer nests is up to the server, but the client library has a limit of its own.
fn append(value: Value, to: &mut Vec<Answer>, budget: &mut Budget) -> Result<(), Error> {
    let answer = match value {
        Value::Array(values) | Value::Set(values) => {
            return values.into_iter().try_for_each(|value| append(value, to, budget));
        }
        Value::Nil => Answer::Nil,
        Value::Okay => Answer::Status("OK".to_owned()),
        Value::SimpleString(text) => Answer::Status(text),
        Value::Int(number) => Answer::Int(number),
        Value::Boolean(is) => Answer::Int(i64::from(is)),
        Value::BulkString(bytes) | Value::BigNumber(bytes) => Answer::Binary(bytes),
        Value::Double(number) => Answer::Binary(number.to_string().into_bytes()),
        Value::ServerError(error) => return Err(::redis::RedisError::from(error).into()),
        Value::Map(_) => return Err(unsupported("map")),
        Value::Attribute { .. } => return Err(unsupported("attribute")),
        Value::VerbatimString { .. } => return Err(unsupported("verbatim string")),
        Value::Push { .. } => return Err(unsupported("push")),
        _ => return Err(unsupported("value of this type")),
    };
    let bytes = match &answer {
        Answer::Status(text) => text.len(),
        Answer::Binary(bytes) => bytes.len(),
        Answer::Nil | Answer::Int(_) => 0,
    };
    budget.take(size_of::<Answer>() + bytes).map_err(|error| Error::other(&error))?;
    to.push(answer);
    Ok(())
}

fn unsupported(what: &str) -> Error {
    Error::Other(format!("a Redis {what} is not supported"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_flattened_with_each_type_in_its_place() {
        let value = Value::Array(vec![
            Value::Okay,
            Value::SimpleString("PONG".to_owned()),
            Value::Array(vec![Value::Int(-1), Value::Nil]),
            Value::Set(vec![Value::BulkString(vec![0, 255]), Value::Boolean(true)]),
            Value::Double(1.5),
            Value::BigNumber(b"99999999999999999999".to_vec()),
        ]);
        let expected = vec![
            Answer::Status("OK".to_owned()),
            Answer::Status("PONG".to_owned()),
            Answer::Int(-1),
            Answer::Nil,
            Answer::Binary(vec![0, 255]),
            Answer::Int(1),
            Answer::Binary(b"1.5".to_vec()),
            Answer::Binary(b"99999999999999999999".to_vec()),
        ];
        assert_eq!(flattened(value), Ok(expected));
    }

    #[test]
    fn an_answer_of_a_type_that_guests_have_not_is_an_error() {
        let nested = Value::Array(vec![Value::Int(1), Value::Map(vec![(Value::Int(1), Value::Int(2))])]);
        assert_eq!(flattened(nested), Err(Error::Other("a Redis map is not supported".to_owned())));
    }

    #[test]
    fn an_answer_that_is_too_large_is_an_error() {
        let value = Value::BulkString(vec![0; crate::host::rows::MOST_BUFFERED]);
        let expected = "query result exceeds limit of 134217728 bytes";
        assert_eq!(flattened(value), Err(Error::Other(expected.to_owned())));
    }

    #[test]
    fn only_commands_that_nobody_would_notice_share_a_connection() {
        for harmless in ["GET", "get", "HGetAll", "EVAL", "XADD"] {
            assert!(may_share(harmless), "{harmless}");
        }
        for own in [
            "multi",
            "BLPOP",
            "XREAD",
            "SUBSCRIBE",
            "POST",
            "Host:",
            "MULTI\0",
            "GET\0",
            " GET",
            "GET ",
            "",
            "CLIENT",
            "SELECT",
            "QUIT",
            "SCRIPT",
            "WAIT",
            "SHUTDOWN",
            "a command of tomorrow",
        ] {
            assert!(!may_share(own), "{own:?}");
        }
    }
}
