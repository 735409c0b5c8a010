//! `wasi:filesystem/types` of October 2023: the release's, with modes of files, permissions and locks.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Resource, ResourceType, flags};
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, DirectoryEntryStream, ErrorCode, Host, HostDescriptor,
    HostDirectoryEntryStream, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::bindings::io::streams;

use crate::host::wasi::told;
use crate::instance::HostState;

const INTERFACE: &str = "wasi:filesystem/types@0.2.0-rc-2023-10-18";

flags! {
    Modes {
        #[component(name = "readable")]
        const READABLE;
        #[component(name = "writable")]
        const WRITABLE;
        #[component(name = "executable")]
        const EXECUTABLE;
    }
}

#[derive(ComponentType, Lift)]
#[component(variant)]
#[allow(dead_code, reason = "what is asked for makes no difference")]
enum AccessType {
    #[component(name = "access")]
    Access(Modes),
    #[component(name = "exists")]
    Exists,
}

type Store<'a> = StoreContextMut<'a, HostState>;
type Own = Resource<Descriptor>;

fn unsupported() -> wasmtime::Result<(Result<(), ErrorCode>,)> {
    Ok((Err(ErrorCode::Unsupported),))
}

/// Links methods of a descriptor that are as in the release: those that wait, and those that don't.
macro_rules! methods {
    ($instance:ident, async: $($name:literal => $method:ident($($argument:ident: $ty:ty),*);)*) => {$(
        $instance.func_wrap_async(
            concat!("[method]descriptor.", $name),
            |mut store: Store<'_>, (own, $($argument,)*): (Own, $($ty,)*)| {
                Box::new(async move {
                    let done = HostDescriptor::$method(&mut store.data_mut().filesystem(), own, $($argument),*).await;
                    told(done, FsError::downcast)
                })
            },
        )?;
    )*};
    ($instance:ident, sync: $($name:literal => $method:ident($($argument:ident: $ty:ty),*);)*) => {$(
        $instance.func_wrap(
            concat!("[method]descriptor.", $name),
            |mut store: Store<'_>, (own, $($argument,)*): (Own, $($ty,)*)| {
                let done = HostDescriptor::$method(&mut store.data_mut().filesystem(), own, $($argument),*);
                told(done, FsError::downcast)
            },
        )?;
    )*};
}

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut types = linker.instance(INTERFACE)?;
    types.resource("descriptor", ResourceType::host::<Descriptor>(), |mut store, rep| {
        HostDescriptor::drop(&mut store.data_mut().filesystem(), Resource::new_own(rep))
    })?;
    types.resource("directory-entry-stream", ResourceType::host::<DirectoryEntryStream>(), |mut store, rep| {
        HostDirectoryEntryStream::drop(&mut store.data_mut().filesystem(), Resource::new_own(rep))
    })?;
    methods! { types, sync:
        "read-via-stream" => read_via_stream(offset: u64);
        "write-via-stream" => write_via_stream(offset: u64);
        "append-via-stream" => append_via_stream();
    }
    methods! { types, async:
        "advise" => advise(offset: u64, length: u64, advice: Advice);
        "sync-data" => sync_data();
        "get-flags" => get_flags();
        "get-type" => get_type();
        "set-size" => set_size(size: u64);
        "set-times" => set_times(access: NewTimestamp, modification: NewTimestamp);
        "read" => read(length: u64, offset: u64);
        "write" => write(buffer: Vec<u8>, offset: u64);
        "read-directory" => read_directory();
        "sync" => sync();
        "create-directory-at" => create_directory_at(path: String);
        "stat" => stat();
        "stat-at" => stat_at(flags: PathFlags, path: String);
        "set-times-at" => set_times_at(flags: PathFlags, path: String, access: NewTimestamp, change: NewTimestamp);
        "link-at" => link_at(flags: PathFlags, path: String, other: Own, new: String);
        "readlink-at" => readlink_at(path: String);
        "remove-directory-at" => remove_directory_at(path: String);
        "rename-at" => rename_at(path: String, other: Own, new: String);
        "symlink-at" => symlink_at(path: String, new: String);
        "unlink-file-at" => unlink_file_at(path: String);
        "metadata-hash" => metadata_hash();
        "metadata-hash-at" => metadata_hash_at(flags: PathFlags, path: String);
    }
    // The modes of a new file are the host's own choice.
    types.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: Store<'_>,
         (own, at, path, open, flags, _): (Own, PathFlags, String, OpenFlags, DescriptorFlags, Modes)| {
            Box::new(async move {
                told(store.data_mut().filesystem().open_at(own, at, path, open, flags).await, FsError::downcast)
            })
        },
    )?;
    types.func_wrap_async("[method]descriptor.is-same-object", |mut store: Store<'_>, (one, other): (Own, Own)| {
        Box::new(async move { Ok((store.data_mut().filesystem().is_same_object(one, other).await?,)) })
    })?;
    types.func_wrap("[method]descriptor.access-at", |_, (_, _, _, _): (Own, PathFlags, String, AccessType)| {
        unsupported()
    })?;
    for what in ["file", "directory"] {
        let name = format!("[method]descriptor.change-{what}-permissions-at");
        types.func_wrap(&name, |_, (_, _, _, _): (Own, PathFlags, String, Modes)| unsupported())?;
    }
    for name in ["lock-shared", "lock-exclusive", "try-lock-shared", "try-lock-exclusive", "unlock"] {
        types.func_wrap(&format!("[method]descriptor.{name}"), |_, (_,): (Own,)| unsupported())?;
    }
    types.func_wrap_async(
        "[method]directory-entry-stream.read-directory-entry",
        |mut store: Store<'_>, (stream,): (Resource<DirectoryEntryStream>,)| {
            Box::new(async move {
                told(store.data_mut().filesystem().read_directory_entry(stream).await, FsError::downcast)
            })
        },
    )?;
    types.func_wrap("filesystem-error-code", |mut store: Store<'_>, (error,): (Resource<streams::Error>,)| {
        Ok((store.data_mut().filesystem().filesystem_error_code(error)?,))
    })
}
