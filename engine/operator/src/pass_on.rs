//! The part of a link that every link with one `next` and nothing held back has in common.

/// Hands `resume`, `idle`, `flush`, `finish`, `has_room` and all that belongs to checkpoints on to
/// the field `next`; `stateless` only the latter.
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

        pass_on!(stateless);
    };
    (stateless) => {
        fn barrier(
            &mut self,
            barrier: ::sameriver_model::Barrier,
            cx: &mut Context,
        ) -> Result<(), OperatorError> {
            self.next.barrier(barrier, cx)
        }

        fn snapshot(
            &mut self,
            sections: &mut ::sameriver_model::SectionWriter,
        ) -> Result<(), OperatorError> {
            self.next.snapshot(sections)
        }

        fn walk(
            &mut self,
            bytes_max: usize,
            sections: &mut ::sameriver_model::SectionWriter,
        ) -> Result<crate::consumer::Walk, OperatorError> {
            self.next.walk(bytes_max, sections)
        }

        fn drop_snapshot(&mut self) {
            self.next.drop_snapshot();
        }

        fn complete(
            &mut self,
            checkpoint: ::sameriver_model::CheckpointId,
        ) -> Result<(), OperatorError> {
            self.next.complete(checkpoint)
        }

        fn settle(&mut self) -> Result<Progress, OperatorError> {
            self.next.settle()
        }
    };
}

pub(crate) use pass_on;
