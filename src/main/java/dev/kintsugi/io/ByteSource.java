package dev.kintsugi.io;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// Bytes that can be copied out of from any place: a mapped file, a slice of one, an inflated record.
///
/// **Units.** Bytes. **Threads.** Any number may read.
public interface ByteSource {
    long byteCount();

    /// Copies `count` bytes from `byteOffset` into `target` at `targetOffset`.
    ///
    /// **Errors.** [IndexOutOfBoundsException] if the range leaves this source or the target.
    void read(long byteOffset, long count, MemorySegment target, long targetOffset);

    /// Bytes `[byteOffset, byteOffset + count)` in an array of their own.
    default byte[] bytes(long byteOffset, int count) {
        byte[] bytes = new byte[count];
        read(byteOffset, count, MemorySegment.ofArray(bytes), 0);
        return bytes;
    }

    /// Bytes `[byteOffset, byteOffset + count)` as a source of their own.
    ///
    /// **Errors.** [IndexOutOfBoundsException] if the range leaves this source.
    default ByteSource slice(long byteOffset, long count) {
        Objects.checkFromIndexSize(byteOffset, count, byteCount());
        ByteSource whole = this;
        return new ByteSource() {
            @Override
            public long byteCount() {
                return count;
            }

            @Override
            public void read(long offset, long length, MemorySegment target, long targetOffset) {
                Objects.checkFromIndexSize(offset, length, count);
                whole.read(byteOffset + offset, length, target, targetOffset);
            }
        };
    }

    /// A source over memory that nobody changes any more.
    static ByteSource of(MemorySegment memory) {
        return new ByteSource() {
            @Override
            public long byteCount() {
                return memory.byteSize();
            }

            @Override
            public void read(long offset, long length, MemorySegment target, long targetOffset) {
                MemorySegment.copy(memory, offset, target, targetOffset, length);
            }
        };
    }
}
