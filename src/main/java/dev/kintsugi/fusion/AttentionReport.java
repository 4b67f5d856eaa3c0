package dev.kintsugi.fusion;

import java.util.List;

/// What attention found in one tensor: for each group of its elements, who was listened to and how much they
/// agree.
///
/// **Units.** Attention weights of a group sum to 1; coherence is 1 where all experts changed alike or not at
/// all, 1/N where their changes are orthogonal, 0 where they cancel; entropy is in nats, 0 where one expert
/// has all the attention.
public final class AttentionReport {
    private final List<String> models;
    private final String groups;
    private final double[] scales;
    private final double[][] attention;
    private final double[][] score;
    private final double[] coherence;

    AttentionReport(
            List<String> models,
            String groups,
            double[] scales,
            double[][] attention,
            double[][] score,
            double[] coherence) {
        this.models = models;
        this.groups = groups;
        this.scales = scales;
        this.attention = attention;
        this.score = score;
        this.coherence = coherence;
    }

    public List<String> models() {
        return models;
    }

    public int groupCount() {
        return attention.length;
    }

    /// What a group is, as in `row` or `MLP neuron`.
    public String groups() {
        return groups;
    }

    /// The RMS by which the changes of `model` were divided.
    public double scale(int model) {
        return scales[model];
    }

    public double attention(int model, int group) {
        return attention[group][model];
    }

    public double score(int model, int group) {
        return score[group][model];
    }

    public double coherence(int group) {
        return coherence[group];
    }

    public double entropy(int group) {
        double entropy = 0;
        for (double share : attention[group]) {
            entropy -= share > 0 ? share * Math.log(share) : 0;
        }
        return entropy;
    }

    /// The mean attention of `model` over the groups.
    public double meanAttention(int model) {
        double sum = 0;
        for (double[] shares : attention) {
            sum += shares[model];
        }
        return sum / attention.length;
    }

    double[] shares(int group) {
        return attention[group];
    }
}
