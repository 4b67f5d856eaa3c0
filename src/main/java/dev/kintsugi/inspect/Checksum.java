package dev.kintsugi.inspect;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Status;
import dev.kintsugi.io.ByteSource;
import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.work.Job;
import dev.kintsugi.zip.ZipRecord;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/// Computes CRC-32 of zip records, block by block from copies: a checksum over a mapping whose file shrinks
/// would end the process. One thread at a time.
final class Checksum {
    private final byte[] block = new byte[BlockReader.BLOCK_BYTES];
    private final MemorySegment segment = MemorySegment.ofArray(block);

    /// What a record came to: its checksum, or why it could not be read.
    record Result(long crc32, Optional<Fault> fault) {}

    Result of(FileCheck.Unread record, Job job) {
        try {
            ZipRecord entry = record.entry();
            long crc = entry.deflated() ? inflated(record.source(), entry, job) : stored(record.source(), entry, job);
            return new Result(crc, Optional.empty());
        } catch (Fault fault) {
            if (fault.status() != Status.CORRUPT) {
                throw fault;
            }
            return new Result(0, Optional.of(fault));
        }
    }

    private long stored(ByteSource source, ZipRecord entry, Job job) {
        CRC32 crc = new CRC32();
        long done = 0;
        while (done < entry.byteCount()) {
            int count = (int) Math.min(block.length, entry.byteCount() - done);
            source.read(entry.dataOffset() + done, count, segment, 0);
            crc.update(block, 0, count);
            done += count;
            job.advance(count);
        }
        return crc.getValue();
    }

    private long inflated(ByteSource source, ZipRecord entry, Job job) {
        CRC32 crc = new CRC32();
        byte[] out = new byte[1 << 16];
        Inflater inflater = new Inflater(true);
        long read = 0;
        long written = 0;
        try {
            while (!inflater.finished()) {
                if (inflater.needsInput()) {
                    int count = (int) Math.min(block.length, entry.compressedByteCount() - read);
                    source.read(entry.dataOffset() + read, count, segment, 0);
                    inflater.setInput(block, 0, count);
                    read += count;
                    job.advance(count);
                }
                int count = inflater.inflate(out);
                written += count;
                boolean stuck = inflater.needsDictionary() || isAtEnd(read, entry, inflater);
                if ((count == 0 && !inflater.finished() && stuck) || written > entry.byteCount()) {
                    throw damaged(entry, "does not inflate to " + entry.byteCount() + " bytes");
                }
                crc.update(out, 0, count);
            }
        } catch (DataFormatException e) {
            throw damaged(entry, "cannot be inflated: " + e.getMessage());
        } finally {
            inflater.end();
        }
        if (written != entry.byteCount()) {
            throw damaged(entry, "inflates to " + written + " bytes instead of " + entry.byteCount());
        }
        return crc.getValue();
    }

    private static boolean isAtEnd(long read, ZipRecord entry, Inflater inflater) {
        return inflater.needsInput() && read == entry.compressedByteCount();
    }

    private static Fault damaged(ZipRecord entry, String what) {
        return new Fault(
                Code.K2101,
                "record " + entry.name() + " " + what,
                "bytes of the file changed after it was written",
                "copy the file again from where it was saved");
    }
}
