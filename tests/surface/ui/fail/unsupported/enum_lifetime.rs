use zctor::actor;

#[actor]
enum JobMessage<'a> {
    Run(&'a str),
}

fn main() {}
