//! `fermyon:spin/redis` without a version: each call names the server, and an error says nothing but that there is one.

use ::redis::{Cmd, cmd};

use super::bindings::fermyon::spin::redis::Host;
use super::bindings::fermyon::spin::redis_types::{Error, Host as TypesHost, RedisParameter, RedisResult};
use super::{Answer, Error as Failure, View};

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        // The guest is not told why, so the operator is.
        tracing::warn!("redis: {failure}");
        Self::Error
    }
}

fn command(name: &str, arguments: &[RedisParameter]) -> Cmd {
    let mut command = cmd(name);
    for argument in arguments {
        match argument {
            RedisParameter::Int64(number) => command.arg(number),
            RedisParameter::Binary(bytes) => command.arg(bytes),
        };
    }
    command
}

impl From<Answer> for RedisResult {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Nil => Self::Nil,
            Answer::Status(text) => Self::Status(text),
            Answer::Int(number) => Self::Int64(number),
            Answer::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

/// Answers and errors as this generation has them.
fn given(answers: Result<Vec<Answer>, Failure>) -> Result<Vec<RedisResult>, Error> {
    Ok(answers?.into_iter().map(RedisResult::from).collect())
}

impl TypesHost for View<'_> {}

impl Host for View<'_> {
    async fn publish(
        &mut self,
        address: String,
        channel: String,
        payload: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(match self.component.connection(&address, None) {
            Ok(connection) => connection.publish(channel, payload).await.map_err(Error::from),
            Err(error) => Err(error.into()),
        })
    }

    async fn get(&mut self, address: String, key: String) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        Ok(match self.component.connection(&address, None) {
            Ok(connection) => connection.get(key).await.map(Option::unwrap_or_default).map_err(Error::from),
            Err(error) => Err(error.into()),
        })
    }

    async fn set(&mut self, address: String, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        Ok(match self.component.connection(&address, None) {
            Ok(connection) => connection.set(key, value).await.map_err(Error::from),
            Err(error) => Err(error.into()),
        })
    }

    async fn incr(&mut self, address: String, key: String) -> wasmtime::Result<Result<i64, Error>> {
        Ok(match self.component.connection(&address, None) {
            Ok(connection) => connection.incr(key).await.map_err(Error::from),
            Err(error) => Err(error.into()),
        })
    }

    async fn del(&mut self, address: String, keys: Vec<String>) -> wasmtime::Result<Result<i64, Error>> {
        Ok(match self.component.connection(&address, None) {
            Ok(connection) => connection.del(keys).await.map(i64::from).map_err(Error::from),
            Err(error) => Err(error.into()),
        })
    }

    async fn sadd(
        &mut self,
        address: String,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<i64, Error>> {
        Ok(match self.component.connection(&address, None) {
            Ok(connection) => connection.sadd(key, values).await.map(i64::from).map_err(Error::from),
            Err(error) => Err(error.into()),
        })
    }

    async fn smembers(&mut self, address: String, key: String) -> wasmtime::Result<Result<Vec<String>, Error>> {
        Ok(match self.component.connection(&address, None) {
            Ok(connection) => connection.smembers(key).await.map_err(Error::from),
            Err(error) => Err(error.into()),
        })
    }

    async fn srem(
        &mut self,
        address: String,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<i64, Error>> {
        Ok(match self.component.connection(&address, None) {
            Ok(connection) => connection.srem(key, values).await.map(i64::from).map_err(Error::from),
            Err(error) => Err(error.into()),
        })
    }

    async fn execute(
        &mut self,
        address: String,
        name: String,
        arguments: Vec<RedisParameter>,
    ) -> wasmtime::Result<Result<Vec<RedisResult>, Error>> {
        Ok(match self.component.connection(&address, None) {
            Ok(connection) => given(connection.execute(&name, &command(&name, &arguments)).await),
            Err(error) => Err(error.into()),
        })
    }
}
