SELECT finished_us FROM result WHERE number = (SELECT min(number) FROM dead_letter)
