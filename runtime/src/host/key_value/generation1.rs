//! `fermyon:spin/key-value` without a version: handles are numbers, and a number that is none traps.

use wasmtime::component::Resource;

use super::View;
use super::bindings::fermyon::spin::key_value::{Error, Host};

super::same_errors!(Error, Io);

impl Host for View<'_> {
    async fn open(&mut self, name: String) -> wasmtime::Result<Result<u32, Error>> {
        Ok(View::open(self, &name).map(|store| store.rep()).map_err(Error::from))
    }

    async fn get(&mut self, store: u32, key: String) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        let value = self.store(&Resource::new_borrow(store))?.get(key).await;
        Ok(value.map_err(Error::from).and_then(|value| value.ok_or(Error::NoSuchKey)))
    }

    async fn set(&mut self, store: u32, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.store(&Resource::new_borrow(store))?.set(key, value).await.map_err(Error::from))
    }

    async fn delete(&mut self, store: u32, key: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.store(&Resource::new_borrow(store))?.delete(key).await.map_err(Error::from))
    }

    async fn exists(&mut self, store: u32, key: String) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self.store(&Resource::new_borrow(store))?.exists(key).await.map_err(Error::from))
    }

    async fn get_keys(&mut self, store: u32) -> wasmtime::Result<Result<Vec<String>, Error>> {
        Ok(self.store(&Resource::new_borrow(store))?.keys().await.map_err(Error::from))
    }

    async fn close(&mut self, store: u32) -> wasmtime::Result<()> {
        View::close(self, Resource::new_own(store))
    }
}
