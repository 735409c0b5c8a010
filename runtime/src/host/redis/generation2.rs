//! `fermyon:spin/redis@2.0.0`: a connection is a resource.

use wasmtime::component::Resource;

use super::bindings::fermyon::spin2_0_0::redis::{Error, Host, HostConnection, RedisParameter, RedisResult};
use super::{OpenConnection, View};

super::same_values!(crate::host::redis::bindings::fermyon::spin2_0_0::redis);
super::same_errors!(crate::host::redis::bindings::fermyon::spin2_0_0::redis::Error);

impl Host for View<'_> {}

impl HostConnection for View<'_> {
    async fn open(&mut self, address: String) -> wasmtime::Result<Result<Resource<OpenConnection>, Error>> {
        let (component, place) = match self.reserve() {
            Ok(reserved) => reserved,
            Err(error) => return Ok(Err(super::Error::from(error).into())),
        };
        let connection = component.connect(&address, place).await;
        Ok(connection.and_then(|connection| Ok(self.keep(connection)?)).map_err(Error::from))
    }

    async fn publish(
        &mut self,
        connection: Resource<OpenConnection>,
        channel: String,
        payload: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.find(&connection)?.publish(channel, payload).await.map_err(Error::from))
    }

    async fn get(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.find(&connection)?.get(key).await.map_err(Error::from))
    }

    async fn set(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.find(&connection)?.set(key, value).await.map_err(Error::from))
    }

    async fn incr(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
    ) -> wasmtime::Result<Result<i64, Error>> {
        Ok(self.find(&connection)?.incr(key).await.map_err(Error::from))
    }

    async fn del(
        &mut self,
        connection: Resource<OpenConnection>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        Ok(self.find(&connection)?.del(keys).await.map_err(Error::from))
    }

    async fn sadd(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        Ok(self.find(&connection)?.sadd(key, values).await.map_err(Error::from))
    }

    async fn smembers(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        Ok(self.find(&connection)?.smembers(key).await.map_err(Error::from))
    }

    async fn srem(
        &mut self,
        connection: Resource<OpenConnection>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        Ok(self.find(&connection)?.srem(key, values).await.map_err(Error::from))
    }

    async fn execute(
        &mut self,
        connection: Resource<OpenConnection>,
        name: String,
        arguments: Vec<RedisParameter>,
    ) -> wasmtime::Result<Result<Vec<RedisResult>, Error>> {
        let answers = self.find(&connection)?.execute(&name, &command(&name, &arguments)).await;
        Ok(answers.map(given).map_err(Error::from))
    }

    async fn drop(&mut self, connection: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}
