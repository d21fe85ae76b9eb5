//! The parts of a link that all links with one `next` and nothing held back have in common, and
//! those of links with a side output.

/// Hands `resume`, `idle`, `flush`, `finish`, `has_room` and all that belongs to checkpoints on to
/// the field `next`. With `checkpoints` only the latter; with `stateful` all but `snapshot`, `walk`
/// and `drop_snapshot`, and but `resume` if that is said too. With `slots` also `watermark`, and
/// what belongs to the snapshot after it was asked of the field `slots`.
macro_rules! pass_on {
    () => {
        pass_on!(stateful);

        pass_on!(@snapshot);
    };
    (checkpoints) => {
        pass_on!(@confirm);

        pass_on!(@snapshot);
    };
    (stateful) => {
        fn resume(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
            self.next.resume(cx)
        }

        pass_on!(stateful except resume);
    };
    (stateful except resume) => {
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

        pass_on!(@confirm);
    };
    (slots) => {
        fn watermark(
            &mut self,
            watermark: ::sameriver_model::Watermark,
            cx: &mut Context,
        ) -> Result<Progress, OperatorError> {
            self.next.watermark(watermark, cx)
        }

        fn snapshot(
            &mut self,
            sections: &mut ::sameriver_model::SectionWriter,
        ) -> Result<(), OperatorError> {
            self.slots.begin_snapshot();
            self.next.snapshot(sections)
        }

        fn walk(
            &mut self,
            bytes_max: usize,
            sections: &mut ::sameriver_model::SectionWriter,
        ) -> Result<crate::consumer::Walk, OperatorError> {
            if !self.slots.walk(bytes_max, sections)? {
                return Ok(crate::consumer::Walk::More);
            }
            self.next.walk(bytes_max, sections)
        }

        fn drop_snapshot(&mut self) {
            self.slots.drop_snapshot();
            self.next.drop_snapshot();
        }

        pass_on!(stateful);
    };
    (@confirm) => {
        fn barrier(
            &mut self,
            barrier: ::sameriver_model::Barrier,
            cx: &mut Context,
        ) -> Result<(), OperatorError> {
            self.next.barrier(barrier, cx)
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
    (@snapshot) => {
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
    };
}

/// Hands all but `slice`, `watermark`, `resume`, `snapshot`, `walk` and `drop_snapshot` on to the
/// fields `next` (a branch) and `side`.
macro_rules! pass_on_both {
    () => {
        fn idle(&mut self, idle: bool, cx: &mut Context) -> Result<(), OperatorError> {
            self.next.next.idle(idle, cx)?;
            self.side.idle(idle, cx)
        }

        fn flush(&mut self, cx: &mut Context) -> Result<(), OperatorError> {
            self.next.next.flush(cx)?;
            self.side.flush(cx)
        }

        fn finish(&mut self, cx: &mut Context) -> Result<Progress, OperatorError> {
            Ok(join(self.next.finish(cx)?, self.side.finish(cx)?))
        }

        fn has_room(&self) -> bool {
            self.next.next.has_room() && self.side.has_room()
        }

        fn barrier(
            &mut self,
            barrier: ::sameriver_model::Barrier,
            cx: &mut Context,
        ) -> Result<(), OperatorError> {
            self.next.next.barrier(barrier, cx)?;
            self.side.barrier(barrier, cx)
        }

        fn complete(
            &mut self,
            checkpoint: ::sameriver_model::CheckpointId,
        ) -> Result<(), OperatorError> {
            self.next.next.complete(checkpoint)?;
            self.side.complete(checkpoint)
        }

        fn settle(&mut self) -> Result<Progress, OperatorError> {
            Ok(join(self.next.next.settle()?, self.side.settle()?))
        }
    };
}

pub(crate) use {pass_on, pass_on_both};
