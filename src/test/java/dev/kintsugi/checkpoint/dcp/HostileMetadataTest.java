package dev.kintsugi.checkpoint.dcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.kintsugi.PickleBytes;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.time.Duration;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// `.metadata` files that torch never writes. The ids are those of docs/reference/safety.md.
class HostileMetadataTest {
    private static final String METADATA = "torch.distributed.checkpoint.metadata";

    /// Metadata whose storage data have `offsets` of `w`, one after the other.
    private static byte[] stored(List<long[]> offsets) {
        PickleBytes pickle = PickleBytes.proto2().global(METADATA, "Metadata").op(')', 0x81, '}');
        pickle.text("state_dict_metadata").op('}', 's').text("storage_data").op('}', '(');
        pickle.global(METADATA, "MetadataIndex").op('q', 1, '0');
        pickle.global("torch.distributed.checkpoint.filesystem", "_StorageInfo").op(')', 0x81, '}');
        pickle.text("relative_path").text("__0_0.distcp").op('s');
        pickle.text("offset").wide(0).op('s').text("length").wide(8).op('s', 'b', 'q', 2, '0');
        for (long[] offset : offsets) {
            pickle.op('h', 1, ')', 0x81, '}').text("fqn").text("w").op('s');
            pickle.text("offset").numbers(offset).op('s', 'b', 'h', 2);
        }
        return pickle.op('u', 's', 'b').stop();
    }

    @DisplayName("P-30 places made to collide are read in linear time")
    @Test
    void placesMadeToCollideAreReadInLinearTime() {
        List<long[]> offsets = LongStream.range(0, 100_000)
                .mapToObj(i -> new long[] {i, 3_100_000 - 31 * i})
                .toList();
        DcpMetadata read =
                assertTimeoutPreemptively(Duration.ofSeconds(10), () -> DcpMetadata.read(".metadata", stored(offsets)));
        assertEquals(0, read.tensors().size());
    }

    @DisplayName("P-32 a place that is said twice is refused")
    @Test
    void aPlaceSaidTwiceIsRefused() {
        byte[] twice = stored(List.of(new long[] {0, 0}, new long[] {0, 4}, new long[] {0, 0}));
        Fault fault = assertThrows(Fault.class, () -> DcpMetadata.read(".metadata", twice));
        assertEquals(Code.K2204, fault.code());
        assertEquals(".metadata: the metadata says twice where w from [0, 0] on is stored", fault.what());
    }
}
