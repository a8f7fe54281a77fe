//! The map beside the program shows the actors that it has.

use web_service::store::{ReaderMessage, WriterMessage};
use zctor::Message;

#[path = "../../picture.rs"]
mod picture;

#[test]
fn the_picture_shows_the_definitions() {
    picture::shows("web_service.svg", [WriterMessage::DEFINITION, ReaderMessage::DEFINITION]);
}
