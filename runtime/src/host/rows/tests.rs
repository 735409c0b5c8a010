//! How much is held of streams that are read, read slowly, and not read.

use super::writer::{ALWAYS, BATCH_BYTES, BATCH_ITEMS, BATCHES};
use super::*;

#[test]
fn a_result_has_an_end() {
    let mut budget = Budget::new();
    assert_eq!(budget.take(MOST_BUFFERED - 1), Ok(()));
    assert_eq!(budget.take(1), Ok(()));
    assert_eq!(budget.take(1), Err(TooLarge));
    assert_eq!(TooLarge.to_string(), "query result exceeds limit of 134217728 bytes");
}

#[tokio::test]
async fn an_empty_batch_is_not_sent_and_a_reader_that_has_gone_is_noticed_without_items() {
    let (writer, _outcome, mut rows) = stream::<usize, ()>();
    assert_eq!(writer.send(Vec::new()).await, Ok(()));
    assert_eq!(writer.send(vec![1]).await, Ok(()));
    assert_eq!(rows.next().await, Some(vec![1]));
    drop(rows);
    assert_eq!(writer.send(Vec::new()).await, Err(Gone));
}

#[tokio::test]
async fn a_writer_waits_for_its_reader_and_learns_that_it_has_gone() {
    let (mut writer, outcome, mut rows) = stream::<usize, ()>();
    let made = tokio::spawn(async move {
        let mut made = 0;
        while writer.put(made, 1).await.is_ok() {
            made += 1;
        }
        let _ = outcome.send(Ok(()));
        made
    });
    let first = rows.next().await.expect("a batch");
    assert_eq!(first[0], 0);
    drop(rows.receiver);
    assert_eq!(rows.ended.await, Ok(Ok(())));
    let made = made.await.expect("no panic");
    assert!(made <= (BATCHES + 3) * BATCH_ITEMS, "{made} were made for nobody");
}

#[tokio::test]
async fn a_writer_that_is_wanted_keeps_what_is_not_read_up_to_a_limit() {
    let (mut writer, outcome, mut rows) = stream::<usize, ()>();
    let bytes = MOST_BUFFERED / 8;
    let mut made = 0;
    loop {
        assert_eq!(writer.fits(bytes), Ok(()));
        assert!(writer.add(made, bytes), "a batch is full");
        made += 1;
        match writer.flush_or_keep(std::future::ready(())).await {
            Ok(is_read) => assert!(is_read),
            Err(TooLarge) => break,
        }
    }
    // What lies between the two counts.
    assert_eq!(made, 9);
    assert!(!writer.kept.is_empty() && !writer.all.has_room());
    let finish = tokio::spawn(writer.finish(outcome, Ok(())));
    let mut read = 0;
    while let Some(batch) = rows.next().await {
        read += batch.len();
    }
    assert_eq!((read, rows.ended.await), (made, Ok(Ok(()))));
    finish.await.expect("no panic");
}

#[tokio::test]
async fn what_is_unread_counts_until_it_is_read_whatever_became_of_its_writer() {
    let unread = Unread::default();
    let (mut first, outcome, mut rows) = unread.stream::<usize, ()>();
    first.add(0, MOST_BUFFERED - ALWAYS);
    first.finish(outcome, Ok(())).await;
    let (mut second, _outcome, _rows) = unread.stream::<usize, ()>();
    second.add(1, ALWAYS);
    assert_eq!((second.fits(ALWAYS), second.fits(ALWAYS + 1)), (Ok(()), Err(TooLarge)));
    assert!(!unread.has_room());
    assert_eq!(rows.next().await, Some(vec![0]));
    assert_eq!((second.fits(MOST_BUFFERED), second.fits(MOST_BUFFERED + 1)), (Ok(()), Err(TooLarge)));
    drop(second);
    assert_eq!(unread.bytes(), 0);
}

#[tokio::test]
async fn others_leave_a_stream_of_small_items_alone() {
    let unread = Unread::default();
    let (mut kept, _outcome, _rows) = unread.stream::<usize, ()>();
    kept.add(0, MOST_BUFFERED + 1);
    let (mut small, _outcome, mut rows) = unread.stream::<usize, ()>();
    for item in 0..10 {
        assert_eq!(small.fits(BATCH_BYTES), Ok(()));
        assert!(small.add(item, BATCH_BYTES));
        assert_eq!(small.flush_or_keep(std::future::ready(())).await, Ok(true));
        assert_eq!(rows.next().await, Some(vec![item]));
    }
}

#[tokio::test]
async fn what_was_kept_counts_less_with_each_part_that_is_read() {
    let unread = Unread::default();
    let (mut writer, outcome, mut rows) = unread.stream::<usize, ()>();
    for item in 0..20 {
        assert!(writer.add(item, BATCH_BYTES));
        assert_eq!(writer.flush_or_keep(std::future::ready(())).await, Ok(true));
    }
    let finish = tokio::spawn(writer.finish(outcome, Ok(())));
    for item in 0..20 {
        assert_eq!(unread.bytes(), (20 - item) * BATCH_BYTES);
        assert_eq!(rows.next().await, Some(vec![item]));
    }
    finish.await.expect("no panic");
}

#[tokio::test]
async fn a_large_item_goes_alone() {
    let (mut writer, _outcome, mut rows) = stream::<usize, ()>();
    let large = BATCHES * BATCH_BYTES + 1;
    assert_eq!(writer.put(0, large).await, Ok(()));
    let waits = tokio::spawn(async move { writer.put(1, large).await });
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    assert_eq!((rows.next().await, rows.next().await), (Some(vec![0]), Some(vec![1])));
    assert_eq!(waits.await.expect("no panic"), Ok(()));
}
