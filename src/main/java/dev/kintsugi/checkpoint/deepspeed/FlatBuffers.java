package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.FlatBuffer;
import dev.kintsugi.checkpoint.FlatBuffer.Span;
import dev.kintsugi.checkpoint.deepspeed.FlatRun.Part;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.IntStream;

/// What lies where in each rank's flat buffers, for people to look at.
///
/// **Units.** Elements.
final class FlatBuffers {
    private FlatBuffers() {}

    /// Stage 1 and 2: `runs` holds one run per group, the partitions of all ranks end to end. The last partition is
    /// shorter in its file by the padding, all are of one length.
    static List<FlatBuffer> partitioned(List<SequencedMap<String, Shape>> groups, List<FlatRun> runs) {
        List<FlatBuffer> buffers = new ArrayList<>();
        for (int group = 0; group < runs.size(); group++) {
            List<Span> ranges = new ArrayList<>();
            long at = 0;
            for (Map.Entry<String, Shape> parameter : groups.get(group).entrySet()) {
                long count = parameter.getValue().elementCount();
                ranges.add(new Span(parameter.getKey(), at, count, 0));
                at += count;
            }
            long length = runs.get(group).parts().stream()
                    .mapToLong(Part::elementCount)
                    .max()
                    .orElse(0);
            buffers.addAll(cut(runs.get(group), ranges, "group " + group, length));
        }
        return buffers;
    }

    /// Stage 3: `runs` holds one run per rank, its sub groups end to end. The same sub groups of all ranks come
    /// together.
    static List<FlatBuffer> split(List<SequencedMap<String, Shape>> groups, List<FlatRun> runs) {
        List<List<FlatBuffer>> ranks = new ArrayList<>();
        for (int rank = 0; rank < runs.size(); rank++) {
            List<Span> ranges = new ArrayList<>();
            long at = 0;
            for (SequencedMap<String, Shape> group : groups) {
                for (Map.Entry<String, Shape> parameter : group.entrySet()) {
                    long count = parameter.getValue().elementCount();
                    long per = Math.ceilDiv(count, (long) runs.size());
                    long held = Math.clamp(count - per * rank, 0, per);
                    ranges.add(new Span(parameter.getKey(), at, held, per * rank));
                    at += per;
                }
            }
            ranks.add(cut(runs.get(rank), ranges, "sub group ", 0));
        }
        int most = ranks.stream().mapToInt(List::size).max().orElse(0);
        return IntStream.range(0, most)
                .boxed()
                .flatMap(i -> ranks.stream().filter(b -> i < b.size()).map(b -> b.get(i)))
                .toList();
    }

    /// Each part of `run` with what of `ranges` lies in it. A label that ends in a space gets the number of the part.
    private static List<FlatBuffer> cut(FlatRun run, List<Span> ranges, String label, long length) {
        List<FlatBuffer> buffers = new ArrayList<>();
        long start = 0;
        for (Part part : run.parts()) {
            long end = start + part.elementCount();
            List<Span> spans = new ArrayList<>();
            for (Span range : ranges) {
                long from = Math.max(range.first(), start);
                long to = Math.min(range.end(), end);
                if (from < to) {
                    spans.add(new Span(
                            range.parameter(), from - start, to - from, range.parameterFirst() + from - range.first()));
                }
            }
            buffers.add(new FlatBuffer(
                    part.rank(),
                    label.endsWith(" ") ? label + buffers.size() : label,
                    Math.max(part.elementCount(), length),
                    part.stored().isPresent() ? part.elementCount() : 0,
                    spans));
            start = end;
        }
        return buffers;
    }
}
