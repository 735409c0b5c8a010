//! `spin:key-value@3.0.0`: everything is asynchronous, and keys are a stream.

use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::bindings::spin::key_value::key_value::{Error, Host as HostInterface, HostStore, HostStoreWithStore};
use super::{Failure, Host, OpenStore, View};
use crate::host::rows::stream;

super::same_errors!(Error, Other);

impl HostInterface for View<'_> {}

impl HostStore for View<'_> {
    async fn drop(&mut self, store: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.close(store)
    }
}

fn store<T: 'static>(accessor: &Accessor<T, Host>, store: &Resource<OpenStore>) -> wasmtime::Result<OpenStore> {
    Ok(accessor.with(|mut access| access.get().store(store))?)
}

impl<T: Send + 'static> HostStoreWithStore<T> for Host {
    async fn open(accessor: &Accessor<T, Self>, label: String) -> wasmtime::Result<Result<Resource<OpenStore>, Error>> {
        Ok(accessor.with(|mut access| access.get().open(&label)).map_err(Error::from))
    }

    async fn get(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(store(accessor, &handle)?.get(key).await.map_err(Error::from))
    }

    async fn set(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(store(accessor, &handle)?.set(key, value).await.map_err(Error::from))
    }

    async fn delete(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(store(accessor, &handle)?.delete(key).await.map_err(Error::from))
    }

    async fn exists(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        Ok(store(accessor, &handle)?.exists(key).await.map_err(Error::from))
    }

    async fn get_keys(
        accessor: &Accessor<T, Self>,
        handle: Resource<OpenStore>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let store = store(accessor, &handle)?;
        let (writer, outcome, rows) = stream::<String, Failure>();
        // Of its own: it goes on while the guest reads. It ends when the guest has gone, because nobody reads then.
        tokio::spawn(async move {
            let written = store.write_keys(&writer).await;
            drop(writer);
            let _ = outcome.send(written);
        });
        let given_up = Failure("the store has ended".to_owned());
        accessor.with(|mut access| rows.into_readers(&mut access, (), given_up))
    }
}
