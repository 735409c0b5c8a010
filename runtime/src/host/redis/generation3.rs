//! `spin:redis@3.0.0`: everything is asynchronous.

use wasmtime::component::{Accessor, Resource};

use super::bindings::spin::redis::redis::{
    Error, Host as HostInterface, HostConnection, HostConnectionWithStore, RedisParameter, RedisResult,
};
use super::{Host, OpenConnection, View};

super::same_values!(crate::host::redis::bindings::spin::redis::redis);
super::same_errors!(crate::host::redis::bindings::spin::redis::redis::Error);

impl HostInterface for View<'_> {}

impl HostConnection for View<'_> {
    async fn drop(&mut self, connection: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}

fn connection<T: 'static>(
    accessor: &Accessor<T, Host>,
    connection: &Resource<OpenConnection>,
) -> wasmtime::Result<OpenConnection> {
    Ok(accessor.with(|mut access| access.get().find(connection))?)
}

impl<T: Send + 'static> HostConnectionWithStore<T> for Host {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> wasmtime::Result<Result<Resource<OpenConnection>, Error>> {
        let (component, place) = match accessor.with(|mut access| access.get().reserve()) {
            Ok(reserved) => reserved,
            Err(error) => return Ok(Err(super::Error::from(error).into())),
        };
        let connection = component.connect(&address, place).await;
        let kept = connection.and_then(|connection| Ok(accessor.with(|mut access| access.get().keep(connection))?));
        Ok(kept.map_err(Error::from))
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenConnection>,
        channel: String,
        payload: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(connection(accessor, &handle)?.publish(channel, payload).await.map_err(Error::from))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenConnection>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(connection(accessor, &handle)?.get(key).await.map_err(Error::from))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenConnection>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(connection(accessor, &handle)?.set(key, value).await.map_err(Error::from))
    }

    async fn incr(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenConnection>,
        key: String,
    ) -> wasmtime::Result<Result<i64, Error>> {
        Ok(connection(accessor, &handle)?.incr(key).await.map_err(Error::from))
    }

    async fn del(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenConnection>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        Ok(connection(accessor, &handle)?.del(keys).await.map_err(Error::from))
    }

    async fn sadd(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenConnection>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        Ok(connection(accessor, &handle)?.sadd(key, values).await.map_err(Error::from))
    }

    async fn smembers(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenConnection>,
        key: String,
    ) -> wasmtime::Result<Result<Vec<String>, Error>> {
        Ok(connection(accessor, &handle)?.smembers(key).await.map_err(Error::from))
    }

    async fn srem(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenConnection>,
        key: String,
        values: Vec<String>,
    ) -> wasmtime::Result<Result<u32, Error>> {
        Ok(connection(accessor, &handle)?.srem(key, values).await.map_err(Error::from))
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenConnection>,
        name: String,
        arguments: Vec<RedisParameter>,
    ) -> wasmtime::Result<Result<Vec<RedisResult>, Error>> {
        let answers = connection(accessor, &handle)?.execute(&name, &command(&name, &arguments)).await;
        Ok(answers.map(given).map_err(Error::from))
    }
}
