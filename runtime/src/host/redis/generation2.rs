//! `fermyon:spin/redis@2.0.0`: a connection is a resource.

use ::redis::{Cmd, cmd};
use wasmtime::component::Resource;

use super::bindings::fermyon::spin2_0_0::redis::{Error, Host, HostConnection, RedisParameter, RedisResult};
use super::{Answer, Error as Failure, OpenConnection, View};

impl From<Failure> for Error {
    fn from(error: Failure) -> Self {
        match error {
            Failure::InvalidAddress => Self::InvalidAddress,
            Failure::TooManyConnections => Self::TooManyConnections,
            Failure::Type => Self::TypeError,
            Failure::Other(reason) => Self::Other(reason),
        }
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

impl Host for View<'_> {}

impl HostConnection for View<'_> {
    async fn open(&mut self, address: String) -> wasmtime::Result<Result<Resource<OpenConnection>, Error>> {
        let (component, place) = match self.reserve() {
            Ok(reserved) => reserved,
            Err(error) => return Ok(Err(error.into())),
        };
        let connection = component.connect(&address, place).await;
        Ok(connection.and_then(|connection| self.keep(connection)).map_err(Error::from))
    }

    async fn publish(
        &mut self,
        connection: Resource<OpenConnection>,
        channel: String,
        payload: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.connection(&connection)?.publish(channel, payload).await.map_err(Error::from))
    }

    async fn get(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.connection(&connection)?.get(key).await.map_err(Error::from))
    }

    async fn set(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.connection(&connection)?.set(key, value).await.map_err(Error::from))
    }

    async fn incr(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
    ) -> wasmtime::Result<Result<i64, Error>> {
        Ok(self.connection(&connection)?.incr(key).await.map_err(Error::from))
    }

    async fn del(
        &mut self,
        connection: Resource<OpenConnection>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        Ok(self.connection(&connection)?.del(keys).await.map_err(Error::from))
    }

    async fn sadd(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        Ok(self.connection(&connection)?.sadd(key, values).await.map_err(Error::from))
    }

    async fn smembers(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        Ok(self.connection(&connection)?.smembers(key).await.map_err(Error::from))
    }

    async fn srem(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        Ok(self.connection(&connection)?.srem(key, values).await.map_err(Error::from))
    }

    async fn execute(
        &mut self,
        connection: Resource<OpenConnection>,
        name: String,
        arguments: Vec<RedisParameter>,
    ) -> wasmtime::Result<Result<Vec<RedisResult>, Error>> {
        Ok(given(self.connection(&connection)?.execute(&name, &command(&name, &arguments)).await))
    }

    async fn drop(&mut self, connection: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}
