//! `fermyon:spin/mqtt@2.0.0`.

use rumqttc::mqttbytes::QoS;
use wasmtime::component::Resource;

use super::bindings::fermyon::spin::mqtt::{Error, Host, HostConnection, Qos};
use super::{Error as Failure, OpenConnection, View};

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::InvalidAddress => Self::InvalidAddress,
            Failure::TooManyConnections => Self::TooManyConnections,
            Failure::ConnectionFailed(reason) => Self::ConnectionFailed(reason),
            Failure::Other(reason) => Self::Other(reason),
        }
    }
}

impl From<Qos> for QoS {
    fn from(qos: Qos) -> Self {
        match qos {
            Qos::AtMostOnce => Self::AtMostOnce,
            Qos::AtLeastOnce => Self::AtLeastOnce,
            Qos::ExactlyOnce => Self::ExactlyOnce,
        }
    }
}

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
        Ok(self.connection(&connection)?.publish(&topic, payload, qos.into()).await.map_err(Error::from))
    }

    async fn drop(&mut self, connection: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}
