package dev.kintsugi;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// safetensors files of any header, right or wrong.
public final class SafetensorsBytes {
    private SafetensorsBytes() {}

    /// A file with the header `json` as it stands and `dataBytes` bytes 1, 2, 3, … behind it.
    public static byte[] of(String json, int dataBytes) {
        return of(json.getBytes(StandardCharsets.UTF_8), dataBytes);
    }

    public static byte[] of(byte[] header, int dataBytes) {
        ByteBuffer file = ByteBuffer.allocate(8 + header.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        file.putLong(header.length).put(header);
        for (int i = 0; i < dataBytes; i++) {
            file.put((byte) (i + 1));
        }
        return file.array();
    }

    /// An entry, as in `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`.
    public static String entry(String name, String dtype, String shape, long begin, long end) {
        return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[" + begin + ","
                + end + "]}";
    }
}
