//! A request, read with as little work as can be.

const MAX_HEADERS: usize = 32;

/// One whole request at the beginning of what came in.
pub(super) struct Request<'a> {
    pub(super) path: &'a str,
    pub(super) body: &'a str,
    pub(super) length: usize,
}

/// None as long as something is missing; what is no HTTP stays incomplete until it is too long.
pub(super) fn parse(bytes: &[u8]) -> Option<Request<'_>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(start)) = request.parse(bytes) else {
        return None;
    };
    let length = request
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.map_or(Some(0), |header| std::str::from_utf8(header.value).ok()?.parse().ok())?;
    let body = std::str::from_utf8(bytes.get(start..start + length)?).ok()?;
    let path = request.path?;
    Some(Request {
        path,
        body,
        length: start + length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_when_its_body_is_and_the_next_one_may_follow() {
        let text = b"POST /x HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}GET";
        let whole = text.len() - 3;
        for cut in 0..whole {
            assert!(parse(&text[..cut]).is_none(), "after {cut} bytes");
        }
        let read = parse(text).unwrap();
        assert_eq!((read.path, read.body, read.length), ("/x", "{}", whole));
    }
}
