//! A batch of envelopes.

use bytes::Bytes;
use prost::Message;
use protocol::{
    batch::{elements, envelopes},
    v1,
};

use super::{batch_of, envelope, generated, plain};

/// Elements lie side by side from the first byte on, and what is read is what
/// the generated code reads.
pub fn check(bytes: &[u8]) {
    let batch = Bytes::copy_from_slice(bytes);
    let mut end = 0;
    let mut is_whole = true;
    for element in elements(&batch) {
        let Ok(element) = element else {
            is_whole = false;
            continue;
        };
        assert!(is_whole, "nothing can be read behind an error");
        assert_eq!(element.whole.start, end);
        assert!(element.whole.start < element.content.start);
        assert_eq!(element.whole.end, element.content.end);
        end = element.whole.end;
        envelope::check(&batch[element.content]);
    }
    assert_eq!(is_whole, end == batch.len());
    let Ok(read) = envelopes(&batch).collect::<Result<Vec<_>, _>>() else {
        return;
    };
    if let Ok(theirs) = v1::Batch::decode(bytes) {
        let ours: Vec<_> = read.iter().map(generated).map(plain).collect();
        let theirs: Vec<_> = theirs.envelopes.into_iter().map(plain).collect();
        assert_eq!(ours, theirs);
    }
    let again: Result<Vec<_>, _> = envelopes(&batch_of(&read)).collect();
    assert_eq!(again, Ok(read));
}
