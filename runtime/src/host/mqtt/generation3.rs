//! `spin:mqtt@3.0.0`: everything is asynchronous.

use wasmtime::component::{Accessor, Resource};

use super::bindings::spin::mqtt::mqtt::{Error, Host as HostInterface, HostConnection, HostConnectionWithStore, Qos};
use super::{Host, OpenConnection, View};

super::same_cases!(crate::host::mqtt::bindings::spin::mqtt::mqtt);

impl HostInterface for View<'_> {}

impl HostConnection for View<'_> {
    async fn drop(&mut self, connection: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}

impl<T: Send + 'static> HostConnectionWithStore<T> for Host {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
        username: String,
        password: String,
        keep_alive: u64,
    ) -> wasmtime::Result<Result<Resource<OpenConnection>, Error>> {
        let opened = accessor.with(|mut access| access.get().open(&address, username, password, keep_alive));
        Ok(opened.map_err(Error::from))
    }

    async fn publish(
        accessor: &Accessor<T, Self>,
        connection: Resource<OpenConnection>,
        topic: String,
        payload: Vec<u8>,
        qos: Qos,
    ) -> wasmtime::Result<Result<(), Error>> {
        let connection = accessor.with(|mut access| access.get().find(&connection))?;
        Ok(connection.publish(&topic, payload, qos.into()).await.map_err(Error::from))
    }
}
