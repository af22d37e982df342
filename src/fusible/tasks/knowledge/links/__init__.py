"""Link prediction: structure and what is known of entities, fused; scores, probabilities, models in folders."""
