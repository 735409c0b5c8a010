//! `fermyon:spin/redis` without a version: each call names the server, and an error says nothing but that there is one.

use super::bindings::fermyon::spin::redis::Host;
use super::bindings::fermyon::spin::redis_types::{Error, Host as TypesHost, RedisParameter, RedisResult};
use super::{Error as Failure, OpenConnection, View};

super::same_values!(crate::host::redis::bindings::fermyon::spin::redis_types);

impl View<'_> {
    /// A result as this generation has it. The guest is not told why something failed, so the operator is.
    fn told<T>(&self, result: Result<T, Failure>) -> wasmtime::Result<Result<T, Error>> {
        Ok(result.map_err(|failure| {
            self.component.tell(&failure);
            Error::Error
        }))
    }

    /// The connection that the component's instances share for an address.
    fn to(&self, address: &str) -> Result<OpenConnection, Failure> {
        self.component.connection(address, None)
    }
}

impl TypesHost for View<'_> {}

impl Host for View<'_> {
    async fn publish(
        &mut self,
        address: String,
        channel: String,
        payload: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let connection = self.to(&address);
        let done = async { connection?.publish(channel, payload).await }.await;
        self.told(done)
    }

    async fn get(&mut self, address: String, key: String) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let connection = self.to(&address);
        let done = async { connection?.get(key).await }.await;
        self.told(done.map(Option::unwrap_or_default))
    }

    async fn set(&mut self, address: String, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        let connection = self.to(&address);
        let done = async { connection?.set(key, value).await }.await;
        self.told(done)
    }

    async fn incr(&mut self, address: String, key: String) -> wasmtime::Result<Result<i64, Error>> {
        let connection = self.to(&address);
        let done = async { connection?.incr(key).await }.await;
        self.told(done)
    }

    async fn del(&mut self, address: String, keys: Vec<String>) -> wasmtime::Result<Result<i64, Error>> {
        let connection = self.to(&address);
        let done = async { connection?.del(keys).await }.await;
        self.told(done.map(i64::from))
    }

    async fn sadd(
        &mut self,
        address: String,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<i64, Error>> {
        let connection = self.to(&address);
        let done = async { connection?.sadd(key, values).await }.await;
        self.told(done.map(i64::from))
    }

    async fn smembers(&mut self, address: String, key: String) -> wasmtime::Result<Result<Vec<String>, Error>> {
        let connection = self.to(&address);
        let done = async { connection?.smembers(key).await }.await;
        self.told(done)
    }

    async fn srem(
        &mut self,
        address: String,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<i64, Error>> {
        let connection = self.to(&address);
        let done = async { connection?.srem(key, values).await }.await;
        self.told(done.map(i64::from))
    }

    async fn execute(
        &mut self,
        address: String,
        name: String,
        arguments: Vec<RedisParameter>,
    ) -> wasmtime::Result<Result<Vec<RedisResult>, Error>> {
        let connection = self.to(&address);
        let done = async { connection?.execute(&name, &command(&name, &arguments)).await }.await;
        self.told(done.map(given))
    }
}
