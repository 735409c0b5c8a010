//! `wasi:keyvalue@0.2.0-draft2`: stores, several keys at once, and what nobody else can come between.

use std::sync::{Mutex, PoisonError};

use wasmtime::component::Resource;

use super::bindings::wasi::keyvalue::atomics::{CasError, Host as Atomics, HostCas};
use super::bindings::wasi::keyvalue::batch::Host as Batch;
use super::bindings::wasi::keyvalue::store::{Error, Host as Stores, HostBucket, KeyResponse};
use super::{Expected, Failure, OpenStore, Refused, View};

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Other(failure.0)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::AccessDenied => Self::AccessDenied,
            Refused::NoSuchStore => Self::NoSuchStore,
            Refused::TableFull => Self::Other("too many resources are open".to_owned()),
        }
    }
}

impl Stores for View<'_> {
    async fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<OpenStore>, Error>> {
        Ok(View::open(self, &identifier).map_err(Error::from))
    }
}

impl HostBucket for View<'_> {
    async fn get(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.store(&bucket)?.get(key).await.map_err(Error::from))
    }

    async fn set(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.store(&bucket)?.set(key, value).await.map_err(Error::from))
    }

    async fn delete(&mut self, bucket: Resource<OpenStore>, key: String) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.store(&bucket)?.delete(key).await.map_err(Error::from))
    }

    async fn exists(&mut self, bucket: Resource<OpenStore>, key: String) -> wasmtime::Result<Result<bool, Error>> {
        Ok(self.store(&bucket)?.exists(key).await.map_err(Error::from))
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<OpenStore>,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<KeyResponse, Error>> {
        let store = self.store(&bucket)?;
        if cursor.is_some() {
            // The first answer has all keys, so nobody was given one.
            return Ok(Err(Error::Other("list_keys: cursor not supported".to_owned())));
        }
        Ok(store.keys().await.map(|keys| KeyResponse { keys, cursor: None }).map_err(Error::from))
    }

    async fn drop(&mut self, bucket: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.close(bucket)
    }
}

impl Batch for View<'_> {
    async fn get_many(
        &mut self,
        bucket: Resource<OpenStore>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<(String, Option<Vec<u8>>)>, Error>> {
        let store = self.store(&bucket)?;
        if keys.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let values = store.noted(store.store.get_many(keys).await);
        Ok(values
            .map(|values| values.into_iter().map(|(key, value)| (key, Some(value))).collect())
            .map_err(Error::from))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<OpenStore>,
        values: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let store = self.store(&bucket)?;
        if values.is_empty() {
            return Ok(Ok(()));
        }
        Ok(store.noted(store.store.set_many(values).await).map_err(Error::from))
    }

    async fn delete_many(
        &mut self,
        bucket: Resource<OpenStore>,
        keys: Vec<String>,
    ) -> wasmtime::Result<Result<(), Error>> {
        let store = self.store(&bucket)?;
        if keys.is_empty() {
            return Ok(Ok(()));
        }
        Ok(store.noted(store.store.delete_many(keys).await).map_err(Error::from))
    }
}

/// A value that is to be swapped, and what it was when the guest last asked.
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct Cas {
    store: OpenStore,
    key: String,
    /// A guest that never asked doesn't mind what it replaces. One that was told that there is nothing must not replace
    /// what somebody has put there since.
    seen: Mutex<Expected>,
}

impl Cas {
    async fn look(&self) -> Result<Option<Vec<u8>>, Failure> {
        let value = self.store.get(self.key.clone()).await?;
        let seen = value.clone().map_or(Expected::Nothing, Expected::Value);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(value)
    }
}

impl HostCas for View<'_> {
    async fn new(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<Resource<Cas>, Error>> {
        let cas = Cas { store: self.store(&bucket)?, key, seen: Mutex::new(Expected::Anything) };
        Ok(self.table.push(cas).map_err(|_| Error::from(Refused::TableFull)))
    }

    async fn current(&mut self, cas: Resource<Cas>) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.table.get(&cas)?.look().await.map_err(Error::from))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl Atomics for View<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<OpenStore>,
        key: String,
        delta: i64,
    ) -> wasmtime::Result<Result<i64, Error>> {
        let store = self.store(&bucket)?;
        Ok(store.noted(store.store.increment(key, delta).await).map_err(Error::from))
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), CasError>> {
        let cas = self.table.delete(cas)?;
        let expected = cas.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let store = &cas.store;
        let swapped = store.noted(store.store.swap(cas.key.clone(), expected, value).await);
        let failed = |failure: Failure| CasError::StoreError(Error::from(failure));
        match swapped {
            Ok(true) => return Ok(Ok(())),
            Ok(false) => {}
            Err(failure) => return Ok(Err(failed(failure))),
        }
        // The guest can try again from what is there now.
        if let Err(failure) = cas.look().await {
            return Ok(Err(failed(failure)));
        }
        Ok(Err(match self.table.push(cas) {
            Ok(cas) => CasError::CasFailed(cas),
            Err(_) => CasError::StoreError(Error::from(Refused::TableFull)),
        }))
    }
}
