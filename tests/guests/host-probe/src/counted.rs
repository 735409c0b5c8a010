//! Streams that are read to their end.

use wit_bindgen::{StreamReader, StreamResult};

/// How many items a stream has, without keeping any.
pub async fn count<T>(mut items: StreamReader<T>) -> usize {
    let mut count = 0;
    loop {
        let (outcome, read) = items.read(Vec::with_capacity(1024)).await;
        count += read.len();
        if !matches!(outcome, StreamResult::Complete(_)) {
            return count;
        }
    }
}
