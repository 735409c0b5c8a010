//! `fermyon:spin/mqtt@2.0.0`.

use wasmtime::component::Resource;

use super::bindings::fermyon::spin::mqtt::{Error, Host, HostConnection, Qos};
use super::{OpenConnection, View};

super::same_cases!(crate::host::mqtt::bindings::fermyon::spin::mqtt);

impl Host for View<'_> {}

impl HostConnection for View<'_> {
    async fn open(
        &mut self,
        address: String,
        username: String,
        password: String,
        keep_alive: u64,
    ) -> wasmtime::Result<Result<Resource<OpenConnection>, Error>> {
        Ok(View::open(self, &address, username, password, keep_alive).map_err(Error::from))
    }

    async fn publish(
        &mut self,
        connection: Resource<OpenConnection>,
        topic: String,
        payload: Vec<u8>,
        qos: Qos,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.find(&connection)?.publish(&topic, payload, qos.into()).await.map_err(Error::from))
    }

    async fn drop(&mut self, connection: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}
