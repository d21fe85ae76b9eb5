//! The part of a link that every link with one `next` and nothing held back has in common.

/// Hands `resume`, `idle`, `flush`, `finish` and `has_room` on to the field `next`.
macro_rules! pass_on {
    () => {
        fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
            self.next.resume(cx)
        }

        pass_on!(except resume);
    };
    (except resume) => {
        fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError> {
            self.next.idle(idle, cx)
        }

        fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
            self.next.flush(cx)
        }

        fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
            self.next.finish(cx)
        }

        fn has_room(&self) -> bool {
            self.next.has_room()
        }
    };
}

pub(crate) use pass_on;
